/**
 * Slots that move under writes, as the ledger sees it. Atomic migrations and the other servers are in
 * `moving_matrix_test.ts`, more of them in `moving_long_test.ts`.
 *
 * @module
 */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { FEW, MANY, type Moving, ONE, whenMoving } from "./moving.ts";
import { aborted, byKey, stopped } from "./reshards.ts";

/** Delivered, but not only what was written. */
const COMPLETE: readonly Moving[] = [
  { fault: byKey.once, slots: MANY },
  { fault: byKey["on after writes"], slots: ONE },
  { fault: aborted, slots: ONE },
];

const GOALS: readonly Moving[] = [
  { fault: byKey["on at once"], slots: FEW },
  { fault: stopped(byKey["then on"]), slots: MANY },
  { fault: stopped(byKey["on after writes"]), slots: ONE },
  { fault: stopped(aborted), slots: ONE },
];

Deno.test(
  "slots move under writes",
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    for (const protocol of [3, 2] as const) {
      const options = { cluster, protocol, seed: protocol };
      for (const moving of COMPLETE) await whenMoving(step, moving, options, "complete");
      for (const moving of GOALS) await whenMoving(step, moving, options, "goal");
    }
  }),
);
