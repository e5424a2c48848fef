/**
 * How long it takes from nothing to the first notification, and how large the bundles are: `deno
 * task bench start`. With `--quick` once, and nothing is written down.
 */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { TestServer } from "../../tests/servers/mod.ts";
import { PEERS } from "../peers.ts";
import { goals, inFigures, machine, spread, table, writeSection } from "../report.ts";
import { type Runtime, Workshop } from "../workshop.ts";
import type { Start } from "./client.ts";

const FULL = { turns: 11 };
const QUICK = { turns: 1 };

const CONTESTANTS = [
  ["keywatch", "this library"],
  ["redis", "`redis`"],
  ["ioredis", "`ioredis`"],
] as const;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Bundled for whatever runtime, as the package can be; the peers are for Node. */
const ROOMS = ["mod", "parse/mod", "pubsub/mod", "cluster/mod"] as const;
const MOST = 14;

export async function main(args: string[]): Promise<void> {
  const { turns } = args.includes("--quick") ? QUICK : FULL;
  await using workshop = await Workshop.open([PEERS.redis, PEERS.ioredis]);
  await workshop.installOwn();
  const client = await workshop.bundle("start/client.ts");
  await using server = await TestServer.start({ config: { "notify-keyspace-events": "KEA" } });
  const rows: string[][] = [];
  for (const runtime of workshop.chosen(args)) {
    const starts = new Map<string, Start[]>(CONTESTANTS.map(([name]) => [name, []]));
    for (let turn = 0; turn < turns; turn++) {
      for (const [name] of CONTESTANTS) {
        const start = await workshop.run<Start>(runtime, client, name, String(server.port));
        starts.get(name)!.push(start);
      }
    }
    rows.push(...rowsOf(runtime, starts));
  }
  const head = ["milliseconds", "loaded", "first notification"];
  const sizes = await bundles(workshop);
  const text = [
    table([head, ...rows]),
    "### Bundles",
    table([
      ["minified by esbuild, bytes", "as it is", "compressed"],
      ...sizes.map(({ title, plain, packed }) => [title, inFigures(plain), inFigures(packed)]),
    ]),
    goals([["`.` compressed, kB", sizes[0]!.packed / 1000, "<=", MOST]]),
  ].join("\n\n");
  console.log(text);
  if (args.length === 0) await writeSection("start", `${introduction()}\n\n${text}`);
}

function rowsOf({ name }: Runtime, starts: ReadonlyMap<string, readonly Start[]>): string[][] {
  return CONTESTANTS.map(([contestant, title]) => {
    const of = (what: keyof Start): string =>
      spread(starts.get(contestant)!.map((one) => one[what]).sort((a, b) => a - b), 0);
    return [`${name}, ${title}`, of("loaded"), of("heard")];
  });
}

interface Bundle {
  readonly title: string;
  readonly plain: number;
  readonly packed: number;
}

async function bundles(workshop: Workshop): Promise<Bundle[]> {
  const sizes: Bundle[] = [];
  for (const room of ROOMS) {
    const title = room === "mod" ? "`.`" : `\`./${room.replace("/mod", "")}\``;
    sizes.push(await bundle(workshop, title, join(ROOT, `${room}.ts`), "neutral"));
  }
  const one = join(workshop.folder, "one_server.mjs");
  await Deno.writeTextFile(one, `export { KeyspaceNotifications } from "${ROOT}mod.ts";\n`);
  sizes.push(await bundle(workshop, "`KeyspaceNotifications` of `.`", one, "neutral"));
  for (const name of ["redis", "ioredis"]) {
    const entry = join(workshop.folder, `all_of_${name}.mjs`);
    await Deno.writeTextFile(entry, `export * from "${name}";\n`);
    sizes.push(await bundle(workshop, `\`${name}\``, entry, "node"));
  }
  return sizes;
}

async function bundle(
  workshop: Workshop,
  title: string,
  entry: string,
  platform: string,
): Promise<Bundle> {
  const bytes = await workshop.minified(entry, platform);
  return { title, plain: bytes.length, packed: gzipSync(bytes, { level: 9 }).length };
}

function introduction(): string {
  return `## Start

\`deno task bench start\` starts a process for each figure. It loads one client, as it is installed from
its package, subscribes to the channel of a key on a local server, writes the key, and hears of it; the
milliseconds count from the first line of the program on. The median of ${FULL.turns} processes, by turns,
with the quartiles in brackets. Below are the sizes of bundles of all that a package exports, and of
what is there for one server.

Measured on: ${machine()}.`;
}
