import { type Certificates, makeCertificates } from "../servers/mod.ts";
import { FAILOVERS, SENTINEL_FAULTS } from "./failovers.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { Random } from "../random.ts";
import { type Outcome, playAlone, playMixed } from "./run.ts";
import { SentinelStage } from "./sentinel_stage.ts";
import { SingleStage, type Stage, type StageOptions } from "./stage.ts";
import type { WatcherOptions } from "./watcher.ts";

/** How the watcher watches. */
export interface Mode {
  readonly transport: "TCP" | "TLS";
  readonly protocol: 2 | 3;
  readonly consumer: WatcherOptions["consumer"];
}

/** Different modes; the first few have seen everything. */
export const MODES: readonly Mode[] = [
  { transport: "TCP", protocol: 3, consumer: "loop" },
  { transport: "TCP", protocol: 2, consumer: "handler" },
  { transport: "TLS", protocol: 3, consumer: "handler" },
  { transport: "TLS", protocol: 2, consumer: "loop" },
];

/** How many faults are tried at the same time, each on a stage of its own. */
const AT_ONCE = 8;

export interface ScenarioOptions extends Pick<StageOptions, "binary" | "rate" | "watch"> {
  readonly seed: number;
  /** Whether each fault happens once only, as long as it may. */
  readonly once?: boolean;
}

/** An outcome and what it is of. */
export interface Named {
  readonly name: string;
  readonly outcome: Outcome;
  /** In a cluster, how many migration artefacts were hidden. */
  readonly artefacts?: number;
}

/** Each fault by itself, several times. */
export async function eachAlone(
  mode: Mode,
  options: ScenarioOptions,
  faults: readonly Fault[] = FAULTS,
): Promise<Named[]> {
  const certificates = await certificatesFor(mode);
  return await each(faults, async (fault, index) => {
    await using stage = await SingleStage.open({
      rate: 500,
      ...mode,
      ...options,
      certificates,
    });
    const durations = options.once ? [fault.lasts[1]] : undefined;
    return await playAlone(stage, fault, new Random(options.seed + index), durations);
  });
}

/** Each failover that sentinels bring about, once. */
export async function eachFailover(
  mode: Mode,
  options: ScenarioOptions,
  failovers: typeof FAILOVERS = FAILOVERS,
): Promise<Named[]> {
  const certificates = await certificatesFor(mode);
  return await each(failovers, async (failover) => {
    await using stage = await SentinelStage.open({
      ...mode,
      ...options,
      certificates,
      rate: 500,
    });
    return await playAlone(stage, failover, new Random(options.seed), [0]);
  });
}

async function each<On extends Stage>(
  faults: readonly Fault<On>[],
  play: (fault: Fault<On>, index: number) => Promise<Outcome>,
): Promise<Named[]> {
  const waiting = [...faults.entries()];
  const outcomes: Named[] = [];
  await allOver(Array.from({ length: AT_ONCE }, async () => {
    for (let next; (next = waiting.shift());) {
      const [index, fault] = next;
      outcomes[index] = { name: fault.name, outcome: await play(fault, index) };
    }
  }));
  return outcomes;
}

/** As `Promise.all`, but leaves nothing running when one fails. */
export async function allOver<T>(works: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works);
  return await Promise.all(works);
}

/** All faults mixed by random numbers. */
export async function mixed(
  mode: Mode,
  seconds: number,
  options: ScenarioOptions,
): Promise<Named> {
  await using stage = await SingleStage.open({
    ...mode,
    ...options,
    certificates: await certificatesFor(mode),
    // Two that match the same events: still each of them comes once, also while reconnecting.
    channels: ["__keyspace@0__:n:*", "__keyspace@*__:n:*"],
  });
  const outcome = await playMixed(stage, FAULTS, new Random(options.seed), seconds);
  return { name: describe(mode), outcome };
}

/** Failovers mixed with what may happen besides. */
export async function mixedFailovers(
  mode: Mode,
  seconds: number,
  options: ScenarioOptions,
): Promise<Named> {
  await using stage = await SentinelStage.open({
    rate: 500,
    ...mode,
    ...options,
    certificates: await certificatesFor(mode),
  });
  const outcome = await playMixed(stage, SENTINEL_FAULTS, new Random(options.seed), seconds);
  return { name: `sentinels, ${describe(mode)}`, outcome };
}

/** A mode in words. */
export function describe({ transport, protocol, consumer }: Mode): string {
  return `RESP${protocol} over ${transport}, ${consumer}`;
}

async function certificatesFor({ transport }: Mode): Promise<Certificates | undefined> {
  return transport === "TLS" ? await makeCertificates() : undefined;
}

/** What went wrong, each line with what it is of; empty if all is well. */
export function problems(outcomes: readonly Named[]): string[] {
  return outcomes.flatMap(({ name, outcome }) =>
    outcome.problems.map((problem) => `${name}: ${problem}`)
  );
}
