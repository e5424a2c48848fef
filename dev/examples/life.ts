import { sleep, type TestServer } from "../../tests/servers/mod.ts";

/** How often something happens, in ms. */
const BEAT = 100;
/** How often a server fails, in beats, and for how long, in ms. */
const FAILURE = 500;
const OUTAGE = 2_500;

const NAMES = ["ana", "ben", "cem", "dee", "eve", "fay", "gil", "hao", "ida", "jon", "kim", "lea"];
const PRODUCTS = ["lamp", "chair", "table", "shelf", "sofa", "stool", "desk", "bench"];

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

/** What happens in a small shop, and how much more often than the rarest of it. */
const HAPPENINGS: readonly [weight: number, make: () => (string | number)[]][] = [
  [5, () => ["SET", `session:${pick(NAMES)}`, "", "PX", 3_000 + Math.floor(Math.random() * 9_000)]],
  [4, () => ["HSET", `product:${pick(PRODUCTS)}`, "views", Math.floor(Math.random() * 1_000)]],
  [3, () => ["INCRBY", `stock:${pick(PRODUCTS)}`, 1]],
  [3, () => ["RPUSH", `cart:${pick(NAMES)}`, pick(PRODUCTS)]],
  [3, () => ["XADD", "orders", "MAXLEN", "~", 100, "*", "of", pick(NAMES)]],
  [2, () => ["ZINCRBY", "leaderboard:today", 1, pick(NAMES)]],
  [2, () => ["SADD", `visitors:${pick(PRODUCTS)}`, pick(NAMES)]],
  [2, () => ["DEL", `cart:${pick(NAMES)}`]],
  [1, () => ["SET", `lock:${pick(PRODUCTS)}`, pick(NAMES), "NX", "PX", 1_500]],
];
const CHANCES = HAPPENINGS.flatMap(([weight, make]) => Array(weight).fill(make));

/** Lets a small shop run on a server or cluster, in which now and then a server fails. */
export async function live(servers: readonly TestServer[], signal: AbortSignal): Promise<void> {
  let outage = Promise.resolve();
  for (let beat = 1; !signal.aborted; beat++) {
    if (beat % FAILURE === 0) outage = fail(pick(servers), signal);
    const wave = 1 + Math.sin(beat / 45) + 0.5 * Math.sin(beat / 13);
    const count = Math.round(Math.max(0.4, wave) * 3 * Math.random() + 0.5);
    await Promise.all(Array.from({ length: count }, async () => {
      const command = pick(CHANCES)();
      // Every server is tried: a command is one node's, and some node may be down.
      for (const server of servers) {
        const done = await server.command(...command).then(() => true, () => false);
        if (done) return;
      }
    }));
    await sleep(BEAT);
  }
  await outage;
}

async function fail(server: TestServer, signal: AbortSignal): Promise<void> {
  await server.kill();
  for (let waited = 0; waited < OUTAGE && !signal.aborted; waited += 100) await sleep(100);
  await server.restart();
}
