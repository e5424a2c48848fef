/** Slots that move under writes on every server, by key and, where the server can, atomically. */
import { matrix } from "../servers/mod.ts";
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, MANY, type Moving, ONE, whenMoving } from "./moving.ts";
import { atomic, stopped } from "./reshards.ts";
import { canMigrateAtomically } from "./slot_moves.ts";

/** Here nothing is lost; now and then a few events are delivered twice. */
const ATOMIC: readonly Moving[] = [
  { fault: atomic.once, slots: MANY },
  { fault: atomic["on at once"], slots: MANY },
  { fault: atomic["on after writes"], slots: ONE, filled: 10_000 },
];

const ATOMIC_GOALS: readonly Moving[] = [
  { fault: stopped(atomic["then on"]), slots: MANY },
  { fault: stopped(atomic["on after writes"]), slots: ONE, filled: 10_000 },
];

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  const name = `${binary.product} ${binary.version}`;
  Deno.test(
    `${name}: slots move under writes`,
    inSteps(async (step) => {
      await using cluster = await startLedgerCluster({ binary });
      for (const protocol of [3, 2] as const) {
        const options = { cluster, protocol, seed: protocol };
        for (const moving of COMPLETE) await whenMoving(step, moving, options, "complete");
        for (const moving of GOALS) await whenMoving(step, moving, options, "goal");
        if (!canMigrateAtomically(binary)) continue;
        for (const moving of ATOMIC) await whenMoving(step, moving, options, "complete");
        for (const moving of ATOMIC_GOALS) await whenMoving(step, moving, options, "goal");
      }
    }),
  );
}
