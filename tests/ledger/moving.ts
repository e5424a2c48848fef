import { assert, assertEquals } from "@std/assert";
import { isUnreached } from "../goal.ts";
import type { Step } from "../steps.ts";
import type { TestCluster } from "../servers/mod.ts";
import type { ClusterFault } from "./cluster_faults.ts";
import { ClusterStage } from "./cluster_stage.ts";
import type { SlotRange } from "./ledger.ts";
import { RemoteWatcher } from "./remote_watcher.ts";
import { aborted, byKey, stopped } from "./reshards.ts";
import { type Outcome, playAlone } from "./run.ts";

/** What runs the watcher in a process of its own. */
const RUNTIME = [Deno.execPath(), "run", "--no-lock", "--allow-net"] as const;

/** Slots that move together; in a new cluster they are the second primary's, as all that follow. */
export const MANY: SlotRange = { first: 8_000, last: 8_299 };
export const FEW: SlotRange = { first: 7_000, last: 7_019 };
export const ONE: SlotRange = { first: 6_000, last: 6_000 };

/** How many events of one slot may be uncertain. */
const MOST_UNCERTAIN = 15;

/** Slots, and what they do. */
export interface Moving {
  readonly fault: ClusterFault;
  /** To which half of all writes go. */
  readonly slots: SlotRange;
  /** How many more keys the first of them has, which nobody watches. */
  readonly filled?: number;
}

/** Here nothing is lost, but more is delivered than what was written. */
export const COMPLETE: readonly Moving[] = [
  { fault: byKey.once, slots: MANY },
  { fault: byKey["on after writes"], slots: ONE },
  { fault: aborted, slots: ONE },
];

/** Here events are lost too, or more is delivered each time. */
export const GOALS: readonly Moving[] = [
  { fault: byKey["on at once"], slots: FEW },
  { fault: stopped(byKey["then on"]), slots: MANY },
  { fault: stopped(byKey["on after writes"]), slots: ONE },
  { fault: stopped(aborted), slots: ONE },
];

export interface MovingOptions {
  readonly cluster: TestCluster;
  readonly protocol: 2 | 3;
  readonly seed: number;
}

/**
 * What the ledger has to find: nothing lost; or, which is a goal so far, each event exactly once and
 * nothing else.
 */
type Demand = "complete" | "goal";

const CHANGE = "decide event ownership inside the stream";

/** Lets slots move in a step of a test, and sees what the ledger finds. */
export async function whenMoving(
  step: Step,
  moving: Moving,
  options: MovingOptions,
  demand: Demand,
): Promise<void> {
  const what = `RESP${options.protocol}: ${moving.fault.name}`;
  if (demand === "complete") {
    return await step(`complete: ${what}`, async () => {
      assertNothingLost(await play(moving, options));
    });
  }
  await step(
    `goal (${CHANGE}): exact: ${what}`,
    () => isUnreached(async () => assertExact(await play(moving, options), moving)),
  );
}

/** Slots that move under writes, deletions, expiries and renames, watched by another process. */
async function play(
  { fault, slots, filled = 0 }: Moving,
  options: MovingOptions,
): Promise<Outcome> {
  await using stage = await ClusterStage.open({
    ...options,
    busy: slots,
    filled,
    // A key that an aborted migration leaves behind is gone, and has not expired.
    everyKind: !fault.name.startsWith(aborted.name),
    watch: (watching) => RemoteWatcher.start(watching, RUNTIME),
    // Stopped for a while, it must not take that for silence when it goes on.
    connect: { heartbeat: { interval: 500, timeout: 30_000 } },
  });
  const outcome = await playAlone(stage, fault, stage.random, [0]);
  if (outcome.failure !== null) throw new Error(outcome.failure);
  return outcome;
}

function assertNothingLost({ report }: Outcome): void {
  assertEquals(report.lostInSilence, []);
  assertEquals(report.gapsNotHonest, []);
}

function assertExact({ problems, report }: Outcome, { slots: { first, last } }: Moving): void {
  assertEquals(problems, []);
  const most = MOST_UNCERTAIN + last - first;
  assert(report.uncertain <= most, `${report.uncertain} events were uncertain`);
}
