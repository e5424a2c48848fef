import { assertEquals } from "@std/assert";
import type { Fault } from "./faults.ts";
import { type Named, problems } from "./scenarios.ts";

/** Sees that each fault happened, left the gap it must leave, and did no other harm. */
export function assertHarmless(
  outcomes: readonly Named[],
  faults: readonly Pick<Fault, "name" | "leaves">[],
): void {
  assertEquals(problems(outcomes), []);
  for (const [index, { name, leaves }] of faults.entries()) {
    const { faults, report } = outcomes[index]!.outcome;
    assertEquals(Object.keys(faults), [name]);
    if (leaves === null) continue;
    // On a busy machine a heartbeat may be over before the end of a connection is noticed.
    const late = leaves === "disconnected" ? "unresponsive" : null;
    const left = Object.keys(report.gaps).map((reason) => reason === late ? leaves : reason);
    assertEquals(`${name}: ${[...new Set(left)]}`, `${name}: ${leaves}`);
  }
}
