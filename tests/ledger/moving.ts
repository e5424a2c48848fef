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

/** How many more keys a slot has that is to take a while to migrate. */
const FILLED = 10_000;

/** How many events of one slot may be uncertain, and one for each further slot. */
const MOST_UNCERTAIN = 15;

/** Which part of all writes may be lost in silence, or delivered out of order, where some are. */
const MOST_WRONG = 1 / 3;

/** Slots that migrate, and what the library makes of it so far. */
export interface Moving {
  readonly fault: ClusterFault;
  /** To which half of all writes go. */
  readonly slots: SlotRange;
  /** How many more keys the first of them has, which nobody watches. */
  readonly filled?: number;
  /** Whether keys also expire and are renamed; they do if left out. */
  readonly everyKind?: boolean;
  /**
   * Which part of the migration artefacts is delivered as real, at most, on a busy machine; 0 is the
   * goal.
   */
  readonly artefacts: number;
  /** Whether writes are lost in silence; that they are not is the goal. */
  readonly loses?: boolean;
}

/** By `MIGRATE`, on every server. */
export const BY_KEY: readonly Moving[] = [
  { fault: byKey.once, slots: MANY, artefacts: 9 / 10 },
  { fault: byKey["on after writes"], slots: ONE, artefacts: 9 / 10 },
  // A key that an aborted migration leaves behind is gone, and has not expired.
  { fault: abortedByKey, slots: ONE, everyKind: false, artefacts: 0 },
  { fault: byKey["on at once"], slots: FEW, artefacts: 1, loses: true },
  { fault: stopped(byKey["then on"]), slots: MANY, artefacts: 1, loses: true },
  { fault: stopped(byKey["on after writes"]), slots: ONE, artefacts: 1, loses: true },
  { fault: stopped(abortedByKey), slots: ONE, everyKind: false, artefacts: 1, loses: true },
];

/** By atomic slot migration, on servers that have it. */
export const ATOMIC: readonly Moving[] = [
  { fault: atomic.once, slots: MANY, artefacts: 1 / 2 },
  { fault: atomic["on at once"], slots: MANY, artefacts: 9 / 10 },
  { fault: atomic["on after writes"], slots: ONE, filled: FILLED, artefacts: 1 },
  { fault: abortedAtomic, slots: ONE, filled: FILLED, artefacts: 1 },
  { fault: stopped(atomic["then on"]), slots: MANY, artefacts: 1 },
  { fault: stopped(atomic["on after writes"]), slots: ONE, filled: FILLED, artefacts: 1 },
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
  const { fault, slots, filled = 0, everyKind = true, artefacts, loses = false } = moving;
  await step(`RESP${options.protocol}: ${fault.name}`, async () => {
    await using stage = await ClusterStage.open({
      ...options,
      busy: slots,
      filled,
      everyKind,
      watch: (watching) => RemoteWatcher.start(watching, RUNTIME),
      // Stopped for a while, it must not take that for silence when it goes on.
      connect: { heartbeat: { interval: 500, timeout: 30_000 } },
    });
    const { watcher } = stage;
    const { report, failure } = await playAlone(stage, fault, stage.random, [0]);
    assertEquals([failure, watcher.failure, watcher.disagreements], [null, null, []]);
    const { first, last } = slots;
    const { uncertain } = report;
    assert(uncertain <= MOST_UNCERTAIN + last - first, `${uncertain} events were uncertain`);
    const { written, lostInSilence, outOfOrder, duplicated, unexpected, gaps } = report;
    if (loses) {
      const { length } = lostInSilence;
      assert(length <= written * MOST_WRONG, `${length} of ${written} writes are lost in silence`);
    } else {
      // Nothing was down and nobody was slow.
      assertEquals({ lostInSilence, gaps }, { lostInSilence: [], gaps: {} });
    }
    const late = outOfOrder.length;
    // Where artefacts are delivered as real, writes may come after later ones, too.
    const mostLate = artefacts === 0 ? 0 : written * MOST_WRONG;
    assert(late <= mostLate, `${late} of ${written} writes came after later ones`);
    const shown = unexpected.length + duplicated.length;
    const all = shown + watcher.migrations.artefacts;
    assert(all > 0, "the migration had no artefacts");
    assert(
      shown <= all * artefacts,
      `${shown} of ${all} artefacts were delivered as real: unexpected ${
        unexpected.slice(0, 5)
      }, ` +
        `duplicated ${duplicated.slice(0, 5)}`,
    );
  });
}
