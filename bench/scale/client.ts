/** Watches the cluster at a URL and prints what that cost, as JSON: `client.ts URL SECONDS`. */
import process from "node:process";
import { ClusterKeyspaceNotifications } from "../../mod.ts";
import { sleep } from "../../tests/servers/wait.ts";

/** What watching a cluster cost. */
export interface Cost {
  readonly primaries: number;
  /** From the call of `connect` until every primary had confirmed a subscription, in ms. */
  readonly coverage: number;
  /** Processor time of that, in ms. */
  readonly coverageCpu: number;
  /** What the process holds more than before, in bytes, after a collection. */
  readonly memory: number;
  /** Of that in the heap of JavaScript. */
  readonly heap: number;
  /** Processor time while nothing happens, in ms a second. */
  readonly steady: number;
  /** A refresh that changes nothing: how long it took, and its processor time, in ms. */
  readonly refresh: readonly { readonly ms: number; readonly cpu: number }[];
}

const REFRESHES = 20;

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Collects what nobody holds, again and again, because sockets release some of it late. */
async function collected(): Promise<{ rss: number; heapUsed: number }> {
  for (let i = 0; i < 10; i++) {
    await sleep(200);
    (globalThis as unknown as { gc(): void }).gc();
  }
  return process.memoryUsage();
}

const [url, seconds] = Deno.args as [string, string];
// So that what the first connect loads and compiles does not count.
await (await ClusterKeyspaceNotifications.connect([url])).close();
const before = await collected();
const cpuBefore = cpu();
const began = performance.now();
await using notifications = await ClusterKeyspaceNotifications.connect([url]);
await notifications.subscribeKeyspace("*");
const coverage = performance.now() - began;
const coverageCpu = cpu() - cpuBefore;
const { slots, nodes, state } = notifications.status();
if (state !== "ready" || slots!.uncovered.length > 0) throw new Error(`The cluster is ${state}`);
const after = await collected();

const idleBefore = cpu();
await sleep(Number(seconds) * 1000);
const steady = (cpu() - idleBefore) / Number(seconds);

const refresh: { ms: number; cpu: number }[] = [];
for (let i = 0; i < REFRESHES; i++) {
  const from = performance.now();
  const spent = cpu();
  await notifications.refreshSubscriptions();
  refresh.push({ ms: performance.now() - from, cpu: cpu() - spent });
}
const cost: Cost = {
  primaries: nodes.length,
  coverage,
  coverageCpu,
  memory: after.rss - before.rss,
  heap: after.heapUsed - before.heapUsed,
  steady,
  refresh,
};
console.log(JSON.stringify(cost));
