/** Slots that move round and round under writes. */
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { MANY, whenMoving } from "./moving.ts";
import { byKey } from "./reshards.ts";
import { anySeed } from "./seed.ts";

const seed = anySeed();

Deno.test(
  `slots move under writes, round and round, with the seed ${seed}`,
  inSteps(async (step) => {
    await using cluster = await startLedgerCluster({});
    for (const protocol of [3, 2] as const) {
      const moving = { fault: byKey["round and round"], slots: MANY };
      await whenMoving(step, moving, { cluster, protocol, seed }, "complete");
    }
  }),
);
