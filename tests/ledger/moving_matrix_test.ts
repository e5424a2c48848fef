/** Slots that migrate under writes on every server, by `MIGRATE` and, where the server can, atomically. */
import { matrix } from "../servers/mod.ts";
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { ATOMIC, BY_KEY, whenMoving } from "./moving.ts";
import { canMigrateAtomically } from "./slot_moves.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  Deno.test(
    `${binary.product} ${binary.version}: slots migrate under writes`,
    inSteps(async (step) => {
      await using cluster = await startLedgerCluster({ binary });
      for (const protocol of [3, 2] as const) {
        const options = { cluster, protocol, seed: protocol };
        for (const moving of BY_KEY) await whenMoving(step, moving, options);
        if (!canMigrateAtomically(binary)) continue;
        for (const moving of ATOMIC) await whenMoving(step, moving, options);
      }
    }),
  );
}
