import { assert, assertEquals } from "@std/assert";
import { ModelCluster, type ModelEvent, type ModelOptions } from "./model.ts";
import { Random } from "../random.ts";
import { type ListenerOptions, ModelListener } from "./model_client.ts";

interface Tally {
  real: number;
  hidden: number;
  shown: Map<string, number>;
}

/** Runs a cluster and a listener, and holds what comes out to what happened. */
function run(seed: number, model: ModelOptions, listener: ListenerOptions, tally: Tally): void {
  const random = new Random(seed);
  const sent: ModelEvent[] = [];
  const cluster = new ModelCluster(random, model, (node, event) => {
    sent.push(event);
    client.hear(node, event);
  });
  const client = new ModelListener(cluster, random, listener);
  // What came and went between two answers is known only of moves as a whole, where they are told.
  const isFree = model.how === "as a whole" && listener.tells && !listener.keepsUp;
  cluster.mayBegin = () => isFree || client.hasLearned();
  for (let step = 0; step < 1_000; step++) {
    // Now the servers are the quicker ones, now the client.
    const rate = Math.floor(step / 100) % 2 === 0 ? 0.2 : 0.5;
    if (random.chance(rate)) cluster.step();
    else client.step();
    if (random.chance(0.002)) client.reconnect(random.pick(cluster.nodes));
    if (listener.fickle.length > 0 && random.chance(0.02)) {
      for (const node of cluster.nodes) if (random.chance(0.7)) client.resubscribe(node);
    }
  }
  cluster.finish();
  client.settle();
  const context = `seed ${seed}, ${JSON.stringify({ model, listener })}`;
  assertEquals(client.ownership.held, 0, context);
  const verdicts = new Map(client.decided.map(({ event, verdict }) => [event, verdict]));
  assertEquals(verdicts.size, client.decided.length, `an event came out twice: ${context}`);
  for (const event of sent) {
    if (client.lost.has(event)) continue;
    const verdict = verdicts.get(event);
    assert(verdict !== undefined, `an event never came out: ${context}`);
    if (event.isReal) {
      assert(verdict !== "phantom", `hidden: ${JSON.stringify(event)} ${context}`);
      tally.real++;
    } else if (verdict === "phantom") tally.hidden++;
    else {
      const what = `${event.type} ${verdict}`;
      tally.shown.set(what, (tally.shown.get(what) ?? 0) + 1);
    }
  }
  for (const { id } of cluster.nodes) {
    const serials = client.decided.filter(({ event }) => event.node === id)
      .map(({ event }) => event.serial);
    assertEquals(serials, serials.toSorted((x, y) => x - y), `out of order: ${context}`);
  }
}

const RUNS = Number(Deno.env.get("MODEL_RUNS") ?? 150);

/** Seeds that showed something which few others do. */
const TELLING = { "by key": [], "as a whole": [2362], both: [1867] } as const;

for (const how of ["by key", "as a whole", "both"] as const) {
  Deno.test(`every real event comes out once and in order while slots move ${how}`, () => {
    const tally: Tally = { real: 0, hidden: 0, shown: new Map() };
    const seeds = Array.from({ length: RUNS }, (_, n) => n + 1);
    for (const seed of [...seeds, ...TELLING[how]]) {
      const random = new Random(seed * 7919);
      const model: ModelOptions = {
        moving: random.pick([[1], [1, 2]]),
        how,
        keys: random.pick([0, 1, 4, 20]),
        news: random.chance(0.7),
        loses: random.chance(0.3),
      };
      const keepsUp = random.chance(0.4);
      const listener: ListenerOptions = {
        keepsUp,
        protocol: random.pick([2, 3]),
        isExact: random.chance(0.5),
        glances: random.chance(0.5),
        tells: random.chance(0.8),
        kind: random.pick(["keyspace", "keyevent"]),
        deaf: random.pick([[], [], ["new"], ["expired", "hset", "spop"]]),
        fickle: random.pick([[], [], ["set", "del"], ["new", "hset", "restore"]]),
        settle: random.pick([0, 1, 3]),
        maxWait: random.pick([1, 10, 10_000]),
        ...(keepsUp ? { isExact: true, tells: true, deaf: [], fickle: [], maxWait: 10_000 } : {}),
      };
      run(seed, model, listener, tally);
    }
    console.log(how, tally);
    assert(tally.real > RUNS * 30 && tally.hidden > RUNS);
  });
}
