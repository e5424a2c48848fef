/** As `moving_test.ts`, in the other protocol. */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, whenMoving } from "./moving.ts";

Deno.test(
  "slots move under writes, watched in the other protocol",
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    const options = { cluster, seed: 1 } as const;
    for (const moving of COMPLETE) {
      await whenMoving(step, moving, { ...options, protocol: 2 }, "complete");
    }
    for (const moving of GOALS) await whenMoving(step, moving, { ...options, protocol: 3 }, "goal");
  }),
);
