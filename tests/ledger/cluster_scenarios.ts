import { CLUSTER_FAULTS, type ClusterFault, movedAtomically } from "./cluster_faults.ts";
import { ClusterStage, startLedgerCluster } from "./cluster_stage.ts";
import { playAlone, playMixed } from "./run.ts";
import { describe, type Mode, type Named, type ScenarioOptions } from "./scenarios.ts";
import { canMigrateAtomically } from "./slot_moves.ts";

/** Each thing that happens to clusters by itself, as often as said. */
export async function eachOnCluster(
  mode: Mode,
  options: ScenarioOptions,
  times: number,
  faults: readonly ClusterFault[] = possible(options),
): Promise<Named[]> {
  const named: Named[] = [];
  await using cluster = await startLedgerCluster(options);
  for (const fault of faults) {
    await cluster.whenHealthy();
    await using stage = await ClusterStage.open({ ...mode, ...options, cluster });
    const durations = Array.from({ length: times }, () => fault.lasts[1]);
    const outcome = await playAlone(stage, fault, stage.random, durations);
    named.push({ name: fault.name, outcome, artefacts: stage.watcher.migrations.artefacts });
  }
  return named;
}

/** All that happens to clusters mixed by random numbers. */
export async function mixedOnCluster(
  mode: Mode,
  seconds: number,
  options: ScenarioOptions,
): Promise<Named> {
  await using stage = await ClusterStage.open({ ...mode, ...options });
  const outcome = await playMixed(stage, possible(options), stage.random, seconds);
  return { name: describe(mode), outcome, artefacts: stage.watcher.migrations.artefacts };
}

function possible({ binary }: ScenarioOptions): readonly ClusterFault[] {
  const isAtomic = binary !== undefined && canMigrateAtomically(binary);
  return CLUSTER_FAULTS.filter((fault) => isAtomic || fault !== movedAtomically);
}
