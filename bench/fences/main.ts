/**
 * What the fences of many watchers cost a server of a cluster: `deno task bench fences`. With
 * `--quick` for few watchers, and nothing is written down.
 */
import { fenceOf } from "../../cluster/members/watched_slots.ts";
import {
  matrix,
  type ServerBinary,
  startCluster,
  type TestServer,
} from "../../tests/servers/mod.ts";
import { inFigures, machine, table, writeSection } from "../report.ts";

/** How many watchers there are at each measurement. */
const FULL = [1, 10, 100, 1_000];
const QUICK = [1, 2];

/** The slots of one of three primaries. */
const SLOTS = 5_461;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PONG = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";

/** What a server has spent. */
interface Spent {
  /** In bytes. */
  readonly memory: number;
  /** Of CPU, in ms. */
  readonly cpu: number;
}

export async function main(args: string[]): Promise<void> {
  const counts = args.includes("--quick") ? QUICK : FULL;
  const rows: string[][] = [];
  const binaries = await matrix({ progress: (message) => console.error(message) });
  for (const binary of args.includes("--quick") ? binaries.slice(0, 1) : binaries) {
    rows.push([`${binary.product} ${binary.version}`, ...await measure(binary, counts)]);
  }
  const head = ["MiB for so many watchers, and CPU in ms for each", ...counts.map(inFigures)];
  const text = table([head, ...rows]);
  console.log(text);
  if (!args.includes("--quick")) {
    await writeSection(
      "fences",
      `## Fences\n\nMemory that ${
        inFigures(SLOTS)
      } fences take on one primary, and the time of its ` +
        "processor to set them; by `deno task bench fences`, RESP2. On " + machine() +
        `.\n\n${text}`,
    );
  }
}

async function measure(binary: ServerBinary, counts: readonly number[]): Promise<string[]> {
  await using cluster = await startCluster({
    binary,
    replicas: 0,
    config: { "client-output-buffer-limit": "pubsub 0 0 0", "maxclients": "2000" },
  });
  const server = await cluster.ownerOf("{0}");
  const slots = await ownSlots(server);
  const commands = encoder.encode(
    slots.map((slot) => {
      const name = decoder.decode(fenceOf(slot));
      return `*2\r\n$10\r\nSSUBSCRIBE\r\n$${name.length}\r\n${name}\r\n`;
    }).join("") + "*1\r\n$4\r\nPING\r\n",
  );
  const connections: Deno.Conn[] = [];
  const cells: string[] = [];
  try {
    const before = await spent(server);
    let last = before;
    for (const count of counts) {
      const from = connections.length;
      while (connections.length < count) connections.push(await watch(server, commands));
      const now = await spent(server);
      const each = (now.cpu - last.cpu) / (count - from);
      cells.push(`${((now.memory - before.memory) / 2 ** 20).toFixed(1)}, ${each.toFixed(1)}`);
      last = now;
    }
  } finally {
    for (const connection of connections) connection.close();
  }
  return cells;
}

async function ownSlots(server: TestServer): Promise<number[]> {
  const id = await server.command("CLUSTER", "MYID") as string;
  const slots: number[] = [];
  for (
    const [first, last, node] of await server.command("CLUSTER", "SLOTS") as [
      number,
      number,
      [string, number, string],
    ][]
  ) {
    if (node[2] !== id) continue;
    for (let slot = first; slot <= last; slot++) slots.push(slot);
  }
  return slots.slice(0, SLOTS);
}

/** Connects, and sets all fences. */
async function watch(server: TestServer, commands: Uint8Array): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const writer = connection.writable.getWriter();
  const written = writer.write(commands);
  const reader = connection.readable.getReader();
  for (let tail = ""; !tail.endsWith(PONG);) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The server has closed the connection of a watcher");
    tail = (tail + decoder.decode(value.subarray(-PONG.length))).slice(-PONG.length);
  }
  await written;
  writer.releaseLock();
  reader.releaseLock();
  return connection;
}

async function spent(server: TestServer): Promise<Spent> {
  const info = await server.command("INFO") as string;
  const number = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)![1]);
  return {
    memory: number("used_memory"),
    cpu: (number("used_cpu_user") + number("used_cpu_sys")) * 1_000,
  };
}
