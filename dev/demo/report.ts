import type { painter } from "../../cli/format.ts";
import type { Ledger } from "./ledger.ts";

/** The summary of a demo, and the status it ends with. */
export interface Report {
  readonly lines: readonly string[];
  /** 0 when exactly what must come has come, otherwise 1. */
  readonly status: 0 | 1;
}

/** Sums up what came against what had to come. */
export function report(ledger: Ledger, paint: ReturnType<typeof painter>): Report {
  const { missing, unexpected, received, expected } = ledger;
  const complete = missing.length === 0 && unexpected.length === 0;
  const verdict = complete
    ? paint("green", `✓ ${received} notifications: each one that the workload caused, once`)
    : paint("red", `✗ ${received} notifications came, ${expected} should have`);
  const name = ({ event, key, database }: (typeof missing)[number]) =>
    `${event} on ${key} in database ${database}`;
  return {
    lines: [
      "",
      ...ledger.byEvent().map(({ event, received, expected }) => {
        const note = received === expected ? "" : `  should be ${expected}`;
        const bar = paint("green", "▪".repeat(received));
        return `  ${event.padEnd(12)} ${String(received).padStart(3)}  ${bar}${note}`;
      }),
      "",
      ...missing.map((one) => paint("red", `  did not come: ${name(one)}`)),
      ...unexpected.map((one) => paint("red", `  should not have come: ${name(one)}`)),
      verdict,
    ],
    status: complete ? 0 : 1,
  };
}
