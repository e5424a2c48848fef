/** As `moving_test.ts`, in RESP2; a file of its own, so that the two run side by side. */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, whenMoving } from "./moving.ts";

Deno.test(
  "slots move under writes, watched in RESP2",
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    const options = { cluster, protocol: 2, seed: 1 } as const;
    for (const moving of COMPLETE) await whenMoving(step, moving, options, "complete");
    for (const moving of GOALS) await whenMoving(step, moving, options, "goal");
  }),
);
