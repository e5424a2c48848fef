/**
 * Slots that move under writes, as the ledger sees it. Atomic migrations and the other servers are in
 * `moving_matrix_test.ts`.
 *
 * @module
 */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, whenMoving } from "./moving.ts";

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
