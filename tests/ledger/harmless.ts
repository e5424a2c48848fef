import { assertEquals } from "@std/assert";
import type { Fault } from "./faults.ts";
import { type Named, problems } from "./scenarios.ts";

/** Sees that each fault happened, left the gap it must leave, and did no other harm. */
export function assertHarmless(
  outcomes: readonly Named[],
  faults: readonly Pick<Fault, "name" | "leaves" | "orLeaves">[],
): void {
  assertEquals(problems(outcomes), []);
  for (const [index, { name, leaves, orLeaves }] of faults.entries()) {
    const { faults, report, isExcused } = outcomes[index]!.outcome;
    assertEquals(Object.keys(faults), [name]);
    if (leaves === null) continue;
    const others = [orLeaves, ...isExcused ? ["unresponsive"] : []];
    const left = Object.keys(report.gaps).map((one) => others.includes(one) ? leaves : one);
    assertEquals(`${name}: ${[...new Set(left)]}`, `${name}: ${leaves}`);
  }
}
