/** Slots that move under writes on every server, by key and, where the server can, atomically. */
import { matrix } from "../servers/mod.ts";
import { inSteps } from "../steps.ts";
import { startLedgerCluster } from "./cluster_stage.ts";
import { COMPLETE, GOALS, MANY, type Moving, ONE, whenMoving } from "./moving.ts";
import { inOnePiece, stopped } from "./reshards.ts";
import { movesWhole } from "./slot_moves.ts";

/** Here nothing is lost; now and then a few events are delivered twice. */
const ATOMIC: readonly Moving[] = [
  { fault: inOnePiece.once, slots: MANY },
  { fault: inOnePiece["on at once"], slots: MANY },
  { fault: inOnePiece["on after writes"], slots: ONE, filled: 10_000 },
];

const ATOMIC_GOALS: readonly Moving[] = [
  { fault: stopped(inOnePiece["then on"]), slots: MANY },
  { fault: stopped(inOnePiece["on after writes"]), slots: ONE, filled: 10_000 },
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
        if (!movesWhole(binary)) continue;
        for (const moving of ATOMIC) await whenMoving(step, moving, options, "complete");
        for (const moving of ATOMIC_GOALS) await whenMoving(step, moving, options, "goal");
      }
    }),
  );
}
