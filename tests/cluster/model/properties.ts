import { assert } from "@std/assert";
import { Random } from "../../random.ts";
import { Model } from "../model.ts";
import { type Profile, REDIS_7_0, REDIS_8_6, VALKEY_9_1 } from "./profiles.ts";
import type { Report } from "./report.ts";
import { type Weather, weather } from "./weather.ts";

/** Something that holds whatever happens in some kind of weather. */
export interface Property {
  readonly name: string;
  readonly weather: Weather;
  readonly profiles: readonly Profile[];
  /** Whether it is enough that most artefacts are kept back. */
  readonly showsArtefacts?: boolean;
}

const EVERY = [REDIS_7_0, REDIS_8_6, VALKEY_9_1];
const ATOMIC = [REDIS_8_6, VALKEY_9_1];

/** What the library does today. */
export const PROPERTIES: readonly Property[] = [
  {
    name: "delivers every event once while the client's process is paused now and then",
    weather: { pauses: true },
    profiles: EVERY,
  },
  {
    name: "delivers or reports as a gap whatever happens while connections break and stall",
    weather: { breaks: true, pauses: true, rate: 0.2, duration: 3_000 },
    profiles: EVERY,
  },
  {
    name: "hides no event, and most artefacts, while slots migrate by key, far apart",
    weather: { migrations: ["by key"], rest: 12_000, duration: 60_000, rate: 0.02 },
    profiles: EVERY,
    showsArtefacts: true,
  },
  {
    name: "hides no event, and most artefacts, while slots migrate atomically, far apart",
    weather: { migrations: ["atomic"], rest: 12_000, duration: 60_000, rate: 0.02 },
    profiles: ATOMIC,
    showsArtefacts: true,
  },
];

/** What it cannot do yet. */
export const GOALS: readonly Property[] = [
  {
    name: "tells artefacts from events while slots migrate by key, one after another",
    weather: { migrations: ["by key"] },
    profiles: EVERY,
  },
  {
    name: "tells artefacts from events while slots migrate by key at once and are aborted",
    weather: { migrations: ["by key"], atOnce: 3, aborts: true, pauses: true, duration: 800 },
    profiles: EVERY,
  },
  {
    name: "tells artefacts from events while slots migrate atomically, one after another",
    weather: { migrations: ["atomic"] },
    profiles: ATOMIC,
  },
  {
    name: "tells artefacts from events while slots migrate atomically at once and are aborted",
    weather: { migrations: ["atomic"], atOnce: 3, aborts: true, pauses: true, duration: 800 },
    profiles: ATOMIC,
  },
  {
    name: "loses nothing outside a gap while replicas take over as they are told to",
    weather: { failovers: ["orderly", "takeover"], duration: 8_000, rate: 0.1 },
    profiles: EVERY,
  },
  {
    name: "loses nothing outside a gap while primaries are killed and hang",
    weather: { failovers: ["kill", "hang"], duration: 12_000, rate: 0.1 },
    profiles: EVERY,
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
    profiles: ATOMIC,
  },
];

/** Asserts that a property holds for each of so many seeds. */
export async function assertProperty(
  property: Property,
  firstSeed: number,
  runs: number,
): Promise<void> {
  let keptBack = 0;
  let shown = 0;
  for (let n = 0; n < runs; n++) {
    const report = await runProperty(property, firstSeed + n);
    assert(report.real > 200);
    if (!property.showsArtefacts) {
      report.assertSound();
      continue;
    }
    report.assertSound("hidden", "lost", "duplicate", "order", "invented", "gap", "late gap");
    keptBack += report.keptBack;
    shown += report.of("artefact").length;
  }
  if (property.showsArtefacts) {
    assert(keptBack > shown, `${keptBack} kept back, ${shown} not`);
  }
}

/** Runs a property with a seed, from which everything else follows. */
export async function runProperty(property: Property, seed: number): Promise<Report> {
  const random = new Random(seed * 7_919);
  await using model = new Model({
    seed,
    profile: random.pick(property.profiles),
    protocol: random.pick([2, 3]),
    kind: random.pick(["keyspace", "keyspace", "keyevent"]),
    emitsNew: random.chance(0.5),
    latencies: random.pick([[0.1], [0.1, 1, 5], [0.1, 30, 0.1], [1, 1, 200]]),
  });
  await model.watch();
  await weather(model, property.weather);
  return await model.finish();
}
