/**
 * `writer LOAD`, a {@linkcode Load} as JSON: writes keys to servers as `redis-benchmark -P 64` does,
 * 64 commands at a time, and ends when all are answered.
 */
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import process from "node:process";
import { command } from "./command.ts";

/** What to write. */
export interface Load {
  /** Where, and with which tag, so that the keys are of a cluster's node. */
  readonly servers: readonly { readonly port: number; readonly tag: string }[];
  /** How many commands each of them gets, in whole blocks. */
  readonly count: number;
  /** How many each of them gets a second; null for as many as it takes. */
  readonly rate: number | null;
}

const PIPELINE = 64;
/** How many blocks are in flight on each connection where no rate is kept. */
const AHEAD = 4;
const KEYS = 100_000;
const ANSWER = "+OK\r\n".length;

/** Blocks of commands. They are reused because building them takes longer than sending them. */
function blocks(tag: string): Buffer[] {
  return Array.from({ length: 256 }, (_, block) => {
    const set = (_: unknown, i: number): string =>
      command("SET", `${tag}key:${1_000_000 + (block * PIPELINE + i) * 7919 % KEYS}`, "value");
    return Buffer.from(Array.from({ length: PIPELINE }, set).join(""));
  });
}

function write(port: number, tag: string, { count, rate }: Load): Promise<void> {
  return new Promise((resolve, reject) => {
    const bytes = blocks(tag);
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    const total = Math.ceil(count / PIPELINE);
    const begin = performance.now();
    let sent = 0;
    let answered = 0;
    const due = (): number =>
      rate === null
        ? answered / ANSWER / PIPELINE + AHEAD
        : (performance.now() - begin) / 1000 * rate / PIPELINE;
    const go = (): void => {
      for (const until = Math.min(due(), total); sent < until;) {
        socket.write(bytes[sent++ % bytes.length]!);
      }
    };
    const timer = rate === null ? undefined : setInterval(go, 1);
    socket.on("connect", go);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      answered += chunk.length;
      if (answered === total * PIPELINE * ANSWER) {
        clearInterval(timer);
        socket.end();
        resolve();
      } else if (rate === null) go();
    });
  });
}

const load: Load = JSON.parse(process.argv[2]!);
await Promise.all(load.servers.map(({ port, tag }) => write(port, tag, load)));
