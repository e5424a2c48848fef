import { eventStyle } from "../../cli/event_style.ts";
import type { Paint } from "../../cli/style.ts";
import { describeEvent } from "../../events/mod.ts";
import type { EventCount, Ledger } from "./ledger.ts";
import type { Expected } from "./workload.ts";

/** The summary of a demo, and the status it ends with. */
export interface Report {
  readonly lines: readonly string[];
  /** 0 when exactly what must come has come, otherwise 1. */
  readonly status: 0 | 1;
}

/** What the classes of events are called, by their letters in `notify-keyspace-events`. */
const CLASS_NAMES: Readonly<Record<string, string>> = {
  $: "strings",
  g: "generic",
  h: "hashes",
  l: "lists",
  s: "sets",
  t: "streams",
  x: "expired",
  z: "sorted sets",
};

const NAME_WIDTH = "sorted sets".length;

/** How many differences are listed. */
const MOST_DIFFERENCES = 10;

/** Compares the events received with those expected: a row for each class, and the result. */
export function report(ledger: Ledger, paint: Paint): Report {
  const { missing, unexpected, received, expected } = ledger;
  const complete = missing.length === 0 && unexpected.length === 0;
  const differences = [
    ...missing.map((one) => `did not come: ${describe(one)}`),
    ...unexpected.map((one) => `should not have come: ${describe(one)}`),
  ];
  const untold = differences.splice(MOST_DIFFERENCES).length;
  if (untold > 0) differences.push(`and ${untold} more such differences`);
  const verdict = complete
    ? paint(
      ["bold", "green"],
      `✓ ${received} notifications: each one that the workload caused, once`,
    )
    : paint(["bold", "red"], `✗ ${received} notifications came, ${expected} should have`);
  return {
    lines: [
      "",
      ...rows(ledger.byEvent(), paint),
      "",
      ...differences.map((text) => paint("red", text)),
      ...(differences.length > 0 ? [""] : []),
      verdict,
    ],
    status: complete ? 0 : 1,
  };
}

/** A row for each class: its name, how many came, as many marks, and which events. */
function rows(events: readonly EventCount[], paint: Paint): string[] {
  const classes = new Map<string, EventCount[]>();
  for (const count of events) {
    const name = CLASS_NAMES[describeEvent(count.event).class ?? ""] ?? "other";
    classes.set(name, [...classes.get(name) ?? [], count]);
  }
  const rows = Array.from(classes, ([name, events]) => ({ name, events, total: sum(events) }));
  const widest = Math.max(...rows.map(({ total }) => total));
  return rows.sort((a, b) => b.total - a.total).map(({ name, events, total }) => {
    const style = eventStyle(events[0]!.event);
    const each = events
      .filter(({ event }) => event !== name)
      .map(({ event, received }) => received === 1 ? event : `${event} ${received}`);
    const count = `${name.padEnd(NAME_WIDTH)}${String(total).padStart(3)}`;
    const row = `${count} ${paint(style, "▪".repeat(total))}`;
    if (each.length === 0) return row;
    return `${row}${" ".repeat(widest - total)}  ${paint("gray", each.join(", "))}`;
  });
}

function sum(events: readonly EventCount[]): number {
  return events.reduce((sum, { received }) => sum + received, 0);
}

function describe({ event, key, database }: Expected): string {
  return `${event} on ${key} in database ${database}`;
}
