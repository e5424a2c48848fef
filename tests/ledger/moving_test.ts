/**
 * Slots that move under writes, as the ledger sees it, each thing in one protocol; in the other one
 * in `moving_long_test.ts`. Atomic migrations and the other servers are in `moving_matrix_test.ts`.
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
    const options = { cluster, seed: 1 } as const;
    for (const moving of COMPLETE) {
      await whenMoving(step, moving, { ...options, protocol: 3 }, "complete");
    }
    for (const moving of GOALS) await whenMoving(step, moving, { ...options, protocol: 2 }, "goal");
  }),
);
