/**
 * Slots that move under writes, as the ledger sees it, in RESP3. Atomic migrations and the other
 * servers are in `moving_matrix_test.ts`.
 *
 * @module
 */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, whenMoving } from "./moving.ts";

Deno.test(
  "slots move under writes, watched in RESP3",
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    const options = { cluster, protocol: 3, seed: 1 } as const;
    for (const moving of COMPLETE) await whenMoving(step, moving, options, "complete");
    for (const moving of GOALS) await whenMoving(step, moving, options, "goal");
  }),
);
