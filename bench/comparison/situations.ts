import { sleep, startCluster, startServer, type TestServer } from "../../tests/servers/mod.ts";
import { Proxy } from "../../tests/ledger/proxy.ts";
import { settled, type Watcher } from "./watcher.ts";

const FLAGS = { "notify-keyspace-events": "KEA" };

/** How long a client has to notice a loss, in ms. */
const PATIENCE = 60_000;

/** Something that happens to those who watch, and what came of it for each client. */
export interface Situation {
  readonly title: string;
  run(start: StartAll): Promise<string[]>;
}

/** Starts every client at these URLs; they end with the situation. */
export type StartAll = (urls: readonly string[]) => Promise<readonly Watcher[]>;

export const situations: readonly Situation[] = [
  {
    title: "300 keys are set in a cluster of three primaries",
    async run(start) {
      await using cluster = await startCluster({ config: FLAGS });
      const watchers = await start(cluster.servers.map(({ url }) => url));
      for (let i = 0; i < 300; i++) {
        const owner = await cluster.ownerOf(`key:${i}`);
        await owner.command("SET", `key:${i}`, "x");
      }
      await settled(watchers, 300);
      return watchers.map(({ heard }) => `${new Set(heard).size} of 300 are delivered`);
    },
  },
  {
    title: "the connection breaks and is restored while 200 keys are set",
    async run(start) {
      await using server = await startServer({ config: FLAGS });
      await using proxy = await Proxy.start(() => ({ host: "127.0.0.1", port: server.port }));
      const watchers = await start([`redis://127.0.0.1:${proxy.port}`]);
      const before = watchers.map(({ told }) => told.length);
      for (let i = 0; i < 200; i++) {
        if (i === 50) {
          proxy.cut();
          await proxy.refuse();
        }
        if (i === 150) {
          await proxy.restore();
          await allHear(server, watchers);
        }
        await server.command("SET", `key:${i}`, "x");
      }
      await settled(watchers, Infinity);
      return watchers.map((watcher, i) => {
        const keys = new Set(watcher.heard.filter((key) => text(key).startsWith("key:")));
        return `${200 - keys.size} lost; reported: ${list(watcher.toldSince(before[i]!))}`;
      });
    },
  },
  {
    title: "the network swallows everything, and nothing closes the connection",
    async run(start) {
      await using server = await startServer({ config: FLAGS });
      await using proxy = await Proxy.start(() => ({ host: "127.0.0.1", port: server.port }));
      const watchers = await start([`redis://127.0.0.1:${proxy.port}`]);
      proxy.halfOpen();
      const noticed = await hearAgain(server, watchers);
      return noticed.map((ms) =>
        ms === null
          ? `nothing delivered within ${PATIENCE / 1000} s`
          : `delivers again after ${Math.round(ms / 1000)} s`
      );
    },
  },
  {
    title: "the server is restarted and has lost `notify-keyspace-events`",
    async run(start) {
      await using server = await startServer({ config: FLAGS });
      const watchers = await start([server.url]);
      const before = watchers.map(({ told }) => told.length);
      await server.restart({ "notify-keyspace-events": '""' });
      await sleep(10_000);
      return watchers.map((watcher, i) => `reported: ${list(watcher.toldSince(before[i]!))}`);
    },
  },
  {
    title: "two keys are set that are not UTF-8, `\\xff` and `\\xfe`",
    async run(start) {
      await using server = await startServer({ config: FLAGS });
      const watchers = await start([server.url]);
      for (const byte of [0xff, 0xfe]) {
        await server.command("SET", new Uint8Array([byte]), "x");
      }
      await settled(watchers, 2);
      return watchers.map(({ heard }) => {
        const keys = new Set(heard);
        return keys.has("ff") && keys.has("fe")
          ? "both are delivered"
          : `${keys.size} key is delivered, damaged`;
      });
    },
  },
];

function text(hex: string): string {
  return new TextDecoder().decode(
    Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16)),
  );
}

function list(told: readonly string[]): string {
  return told.length === 0 ? "nothing" : told.map((what) => `\`${what}\``).join(", ");
}

/** For each, after how many ms it hears of a key that was set now; null after all patience. */
async function hearAgain(
  server: TestServer,
  watchers: readonly Watcher[],
): Promise<(number | null)[]> {
  const start = performance.now();
  const heard = watchers.map(({ heard }) => heard.length);
  const back: (number | null)[] = watchers.map(() => null);
  for (let i = 0; performance.now() - start < PATIENCE && back.includes(null); i++) {
    await server.command("SET", `again:${i}`, "x");
    await sleep(100);
    for (const [at, watcher] of watchers.entries()) {
      if (watcher.heard.length > heard[at]!) back[at] ??= performance.now() - start;
    }
  }
  return back;
}

async function allHear(server: TestServer, watchers: readonly Watcher[]): Promise<void> {
  const late = (await hearAgain(server, watchers)).indexOf(null);
  if (late !== -1) throw new Error(`${watchers[late]!.name} does not reconnect`);
}
