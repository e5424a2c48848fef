/**
 * `client NAME PORT SECONDS RATE WRITER`: writes a key a thousand times a second, RATE times with
 * those that another process writes, and prints how long each took to be heard of, in milliseconds.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { command, openCommands } from "../load/command.ts";
import { PATTERNS } from "../load/frames.ts";
import { Probe } from "../load/probe.ts";
import type { Load } from "../load/writer.ts";
import { type ClientName, CLIENTS } from "../peers.ts";
import { tell } from "../tell.ts";
import { sleep } from "../../tests/servers/wait.ts";

const PROBES = 1_000;

const [name, ...numbers] = process.argv.slice(2, 6) as [string, ...string[]];
const [port, seconds, rate] = numbers.map(Number) as [number, number, number];
const writer = process.argv[6]!;
const [keyspace] = PATTERNS;
const probe = new Probe(port);

/** A socket of the runtime, in which only the keys of the probe are looked for. */
async function bare(): Promise<void> {
  const { Deno } = globalThis as { Deno?: typeof globalThis.Deno };
  const subscribe = command("PSUBSCRIBE", keyspace);
  if (Deno !== undefined) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode(subscribe));
    (async () => {
      const buffer = new Uint8Array(65_536);
      for (let length; (length = await conn.read(buffer)) !== null;) {
        find(buffer.subarray(0, length));
      }
    })();
  } else {
    const socket = openCommands(port);
    socket.on("data", find);
    socket.write(subscribe);
  }
  await sleep(200);
}

const utf8 = new TextDecoder();

function find(bytes: Uint8Array): void {
  for (const [key] of utf8.decode(bytes).matchAll(/probe:\d+(?=\r)/g)) probe.heard(key);
}

if (name === "bare") await bare();
else await CLIENTS[name as ClientName](port, [keyspace], (key) => probe.heard(key));

if (rate > PROBES) {
  const load: Load = {
    servers: [{ port, tag: "" }],
    count: (rate - PROBES) * (seconds + 1),
    rate: rate - PROBES,
  };
  spawn("node", [writer, JSON.stringify(load)], { stdio: ["ignore", "inherit", "inherit"] });
}
probe.start(PROBES);
// What the first half second shows is how the runtime compiles.
await sleep(500);
const before = probe.lags.length;
await sleep(seconds * 1000);
tell(probe.lags.slice(before).map((ms) => Math.round(ms * 1e4) / 1e4));
