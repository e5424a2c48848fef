import { assert } from "@std/assert";
import { Random } from "../../random.ts";
import { Model } from "../model.ts";
import { ATOMIC_PROFILES, EVERY_PROFILE, type Profile } from "./profiles.ts";
import { type Fault, FAULTS, type Report } from "./report.ts";
import { type Weather, weather } from "./weather.ts";

/** Something that holds whatever happens in some kind of weather. */
export interface Property {
  readonly name: string;
  readonly weather: Weather;
  readonly profiles: readonly Profile[];
  /** Of how many slots the client watches the keys by their names, in a cluster of six shards. */
  readonly watched?: number;
  /** With how many seeds it runs in the short suite; 6 if left out. */
  readonly seeds?: number;
  /** Faults that some seeds still show, and how many of them a run has at most, on average. */
  readonly faults?: Faults;
}

export type Faults = Partial<Record<Fault, number>>;

export const PROPERTIES: readonly Property[] = [
  {
    name: "delivers every event once while the client's process is paused now and then",
    weather: { pauses: true },
    profiles: EVERY_PROFILE,
  },
  {
    name: "delivers or reports as a gap whatever happens while connections break and stall",
    weather: { breaks: true, pauses: true, rate: 0.2, duration: 3_000 },
    profiles: EVERY_PROFILE,
  },
  {
    name: "delivers every event and no artefact while slots migrate by key, far apart",
    weather: { migrations: ["by key"], rest: 12_000, duration: 60_000, rate: 0.02 },
    profiles: EVERY_PROFILE,
    seeds: 4,
    faults: { uncertain: 0.5 },
  },
  {
    name: "delivers every event and no artefact while slots migrate atomically, far apart",
    weather: { migrations: ["atomic"], rest: 12_000, duration: 60_000, rate: 0.02 },
    profiles: ATOMIC_PROFILES,
    seeds: 3,
    faults: { uncertain: 1 },
  },
  {
    name: "delivers every event and no artefact while slots migrate by key, one after another",
    weather: { migrations: ["by key"] },
    profiles: EVERY_PROFILE,
    seeds: 5,
    faults: { hidden: 0.5, uncertain: 0.5 },
  },
  {
    name: "delivers every event and no artefact while slots migrate by key at once and are aborted",
    weather: { migrations: ["by key"], atOnce: 3, aborts: true, pauses: true, duration: 800 },
    profiles: EVERY_PROFILE,
    // One run in sixty hides a few events.
    seeds: 30,
    faults: { hidden: 0.5, uncertain: 1 },
  },
  {
    name: "delivers every event and no artefact while slots migrate atomically, one after another",
    weather: { migrations: ["atomic"] },
    profiles: ATOMIC_PROFILES,
    seeds: 4,
    faults: { uncertain: 1 },
  },
  {
    name:
      "delivers every event and no artefact while slots migrate atomically at once and are aborted",
    weather: { migrations: ["atomic"], atOnce: 3, aborts: true, pauses: true, duration: 800 },
    profiles: ATOMIC_PROFILES,
    seeds: 2,
    faults: { uncertain: 2 },
  },
  {
    name: "reports a gap as long as the outage while replicas take over on command",
    weather: { failovers: ["orderly", "takeover"], duration: 8_000, rate: 0.1 },
    profiles: EVERY_PROFILE,
    seeds: 4,
    faults: { "wide gap": 0.25 },
  },
  {
    name: "reports a gap as long as the outage while primaries are killed and hang",
    weather: { failovers: ["kill", "hang"], duration: 12_000, rate: 0.1 },
    profiles: EVERY_PROFILE,
    // One run in dozens has a primary that goes on just when it is given up.
    seeds: 24,
    faults: { "wide gap": 0.25 },
  },
  {
    name: "follows the slots of a few keys while they migrate by key, far apart",
    weather: { migrations: ["by key"], rest: 12_000, duration: 60_000, rate: 0.02 },
    profiles: EVERY_PROFILE,
    watched: 9,
    seeds: 2,
  },
  {
    name: "follows the slots of a few keys while they migrate by key at once",
    weather: { migrations: ["by key"], atOnce: 3, pauses: true },
    profiles: EVERY_PROFILE,
    watched: 9,
    seeds: 4,
    faults: { "hidden": 0.5, "late gap": 0.5, "uncertain": 1 },
  },
  {
    name: "follows the slots of a few keys while migrations by key are aborted",
    weather: { migrations: ["by key"], atOnce: 3, aborts: true, pauses: true },
    profiles: EVERY_PROFILE,
    watched: 9,
    seeds: 4,
    // A migration that is begun and given up between two polls of the owner goes unnoticed.
    faults: { "lost": 2, "hidden": 0.5, "artefact": 5, "late gap": 0.5, "uncertain": 1 },
  },
  {
    name: "follows the slots of a few keys while they migrate atomically",
    weather: { migrations: ["atomic"], atOnce: 2, aborts: true, duration: 4_000 },
    profiles: ATOMIC_PROFILES,
    watched: 9,
    seeds: 2,
    faults: { "late gap": 0.5, "uncertain": 1, "wide gap": 0.5 },
  },
  {
    name: "follows the slots of a few keys while replicas take over",
    weather: { failovers: ["orderly", "takeover", "kill", "hang"], duration: 12_000, rate: 0.1 },
    profiles: EVERY_PROFILE,
    watched: 9,
    seeds: 2,
    // What a demoted node repeats is certain only if the epoch has not risen more than once.
    faults: { "uncertain": 30, "wide gap": 0.5 },
  },
  {
    name: "keeps every promise whatever happens at once",
    weather: {
      migrations: ["by key", "atomic"],
      atOnce: 3,
      aborts: true,
      failovers: ["orderly", "takeover", "kill", "hang"],
      breaks: true,
      pauses: true,
      duration: 4_000,
      rate: 0.2,
    },
    profiles: ATOMIC_PROFILES,
    // One run in twelve has a primary that goes on after it hung and was replaced, and executes writes to
    // slots that it was given after it was last heard, or while what it answers is held up for seconds:
    // hundreds of events in one run, so that fewer runs say nothing of the average.
    seeds: 12,
    faults: {
      "lost": 5,
      "undone": 50,
      "hidden": 0.5,
      "artefact": 0.25,
      "late gap": 5,
      "uncertain": 3,
      "wide gap": 3,
    },
  },
];

/** A cluster in which some nodes own no key that is watched, and how often owners are polled besides. */
const FEW = { shards: 6, slack: 1_500 } as const;

/** Runs of a property with so many seeds. */
export async function runProperty(
  property: Property,
  firstSeed: number,
  runs: number,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (let n = 0; n < runs; n++) reports.push(await runOnce(property, firstSeed + n));
  return reports;
}

/** Asserts that runs show no other faults than these, and no more of them on average. */
export function assertAtMost(faults: Faults, reports: readonly Report[]): void {
  for (const report of reports) {
    assert(report.real > 200, `${report.context}: only ${report.real} real events`);
    report.assertSound(...FAULTS.filter((fault) => !(fault in faults)));
  }
  for (const [fault, most] of Object.entries(faults) as [Fault, number][]) {
    const found = reports.reduce((sum, report) => sum + report.of(fault).length, 0);
    const average = found / reports.length;
    assert(average <= most, `${fault}: ${average} in a run, ${most} at most`);
  }
}

/** One run, in which everything follows from the seed. */
async function runOnce(property: Property, seed: number): Promise<Report> {
  const random = new Random(seed * 7_919);
  await using model = new Model({
    seed,
    profile: random.pick(property.profiles),
    protocol: random.pick([2, 3]),
    kind: random.pick(["keyspace", "keyspace", "keyevent"]),
    emitsNew: random.chance(0.5),
    latencies: random.pick([[0.1], [0.1, 1, 5], [0.1, 30, 0.1], [1, 1, 200]]),
    ...(property.watched === undefined ? {} : {
      watched: property.watched,
      // Thousands of channels are subscribed in many round trips.
      latencies: random.pick([[0.1], [0.1, 1, 5], [0.1, 30, 0.1]]),
      ...FEW,
    }),
  });
  await model.watch();
  await weather(model, property.weather);
  return await model.finish();
}
