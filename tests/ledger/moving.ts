import { assert, assertEquals } from "@std/assert";
import type { TestCluster } from "../servers/mod.ts";
import type { Step } from "../steps.ts";
import type { ClusterFault } from "./cluster_faults.ts";
import { ClusterStage } from "./cluster_stage.ts";
import type { SlotRange } from "./ledger.ts";
import { RemoteWatcher } from "./remote_watcher.ts";
import { abortedAtomic, abortedByKey, atomic, byKey, stopped } from "./reshards.ts";
import { playAlone } from "./run.ts";

/** What runs the watcher in a process of its own. */
const RUNTIME = [Deno.execPath(), "run", "--no-lock", "--allow-net"] as const;

/** Slots that migrate together; in a new cluster they are the second primary's, as all that follow. */
const MANY: SlotRange = { first: 8_000, last: 8_299 };
const FEW: SlotRange = { first: 7_000, last: 7_019 };
const ONE: SlotRange = { first: 6_000, last: 6_000 };

/** How long a peer may take, in ms. */
const PATIENCE = 30_000;

/** How many more keys a slot has that is to take a while to migrate. */
const FILLED = 10_000;

/**
 * Which part of all writes may be uncertain, where most is certain and elsewhere: how many are
 * depends on how long answers take.
 */
const MOST_UNCERTAIN = { certain: 1 / 10, others: 1 / 2 } as const;

/** Slots that migrate. */
export interface Moving {
  readonly fault: ClusterFault;
  /** To which half of all writes go. */
  readonly slots: SlotRange;
  /** How many more keys the first of them has, which nobody watches. */
  readonly filled?: number;
  /** Whether keys also expire and are renamed; they do if left out. */
  readonly everyKind?: boolean;
  /** Whether answers come while slots move by `MIGRATE`, so that most of it is certain. */
  readonly isCertain?: boolean;
}

/** By `MIGRATE`, on every server. */
export const BY_KEY: readonly Moving[] = [
  { fault: byKey.once, slots: MANY, isCertain: true },
  { fault: byKey["on after writes"], slots: ONE, isCertain: true },
  // A key that an aborted migration leaves behind is gone, and has not expired.
  { fault: abortedByKey, slots: ONE, everyKind: false, isCertain: true },
  { fault: byKey["on at once"], slots: FEW, isCertain: true },
  { fault: stopped(byKey["then on"]), slots: MANY },
  { fault: stopped(byKey["on after writes"]), slots: ONE },
  { fault: stopped(abortedByKey), slots: ONE, everyKind: false },
];

/** By atomic slot migration, on servers that have it. */
export const ATOMIC: readonly Moving[] = [
  { fault: atomic.once, slots: MANY },
  { fault: atomic["on at once"], slots: MANY },
  { fault: atomic["on after writes"], slots: ONE, filled: FILLED },
  { fault: abortedAtomic, slots: ONE, filled: FILLED },
  { fault: stopped(atomic["then on"]), slots: MANY },
  { fault: stopped(atomic["on after writes"]), slots: ONE, filled: FILLED },
];

export interface MovingOptions {
  readonly cluster: TestCluster;
  readonly protocol: 2 | 3;
  readonly seed: number;
}

/** Lets slots migrate in a step of a test, under writes of every kind, watched by another process. */
export async function whenMoving(
  step: Step,
  moving: Moving,
  options: MovingOptions,
): Promise<void> {
  const { fault, slots, filled = 0, everyKind = true, isCertain = false } = moving;
  await step(`RESP${options.protocol}: ${fault.name}`, async () => {
    await using stage = await ClusterStage.open({
      ...options,
      busy: slots,
      filled,
      everyKind,
      watch: (watching) => RemoteWatcher.start(watching, RUNTIME),
      // What is stopped for a while, or slow on a busy machine, must not be taken for lost, nor dropped.
      connect: {
        heartbeat: { interval: 500, timeout: PATIENCE },
        timeout: PATIENCE,
        queue: { items: 100_000 },
      },
    });
    const { watcher } = stage;
    const { report, failure } = await playAlone(stage, fault, stage.random, [0]);
    assertEquals([failure, watcher.failure, watcher.disagreements], [null, null, []]);
    const { written, uncertain, lostInSilence, outOfOrder, duplicated, unexpected, gaps } = report;
    assertEquals(
      { lostInSilence, outOfOrder, duplicated, unexpected, gaps },
      { lostInSilence: [], outOfOrder: [], duplicated: [], unexpected: [], gaps: {} },
    );
    const { artefacts } = watcher.migrations;
    assert(artefacts + (isCertain ? 0 : uncertain) > 0, "the migration had no artefacts");
    const most = MOST_UNCERTAIN[isCertain ? "certain" : "others"];
    assert(uncertain <= written * most, `${uncertain} of ${written} were uncertain`);
  });
}
