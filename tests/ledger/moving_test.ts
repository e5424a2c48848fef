/**
 * Slots that migrate by `MIGRATE` under writes, as the ledger sees it. The rest, atomic migrations and
 * the other servers are in `moving_matrix_test.ts`.
 *
 * @module
 */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { BY_KEY, whenMoving } from "./moving.ts";

Deno.test(
  "slots migrate under writes",
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    for (const moving of BY_KEY.slice(0, 3)) {
      for (const protocol of [3, 2] as const) {
        await whenMoving(step, moving, { cluster, protocol, seed: 1 });
      }
    }
  }),
);
