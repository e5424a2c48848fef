/**
 * Decodes the workloads with each decoder, by turns, in whichever runtime this is run, and prints
 * what it measured, a line of JSON for each workload as it comes. Run by main.ts, with a collector that
 * can be called.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import process from "node:process";
import {
  Decoder,
  type DecoderSink,
  decodeText,
  type MessageFrame,
  type Reply,
} from "../../resp/mod.ts";
import { type Workload, workloads } from "./workloads.ts";

/** The decoder of the npm package `redis`. */
interface RedisDecoder {
  write(chunk: Buffer): void;
}

/** The parser that many clients used for RESP2. */
interface RedisParser {
  execute(chunk: Buffer): void;
}

// The packages as they are installed beside the program that this file becomes.
const require = createRequire(import.meta.url);
const RedisDecoder: new (options: Record<string, unknown>) => RedisDecoder =
  require("@redis/client/dist/lib/RESP/decoder.js").Decoder;
const RedisParser: new (options: Record<string, unknown>) => RedisParser = require("redis-parser");

/**
 * Decodes all chunks and gives back something that depends on each text or reply.
 *
 * Its decoder lives for all rounds, as that of a connection does for all its chunks. V8 throws away
 * what it has compiled for a decoder when the last of its kind is collected: this one took 1.6 times
 * as long in chunks of 1,400 bytes when each round had one of its own.
 */
type Run = (chunks: Buffer[]) => number;

/** What the decoders took for one workload. */
export interface Measured {
  readonly workload: string;
  /** Of each decoder the milliseconds, sorted. */
  readonly rounds: Record<string, number[]>;
}

/** So that none pays for what another has left. */
const collect: () => void = (globalThis as unknown as { gc: () => void }).gc;

const WARM_UP = 3;
const ROUNDS = 11;

class Keywatch implements DecoderSink {
  sum = 0;

  reply(reply: Reply): void {
    this.sum += size(reply);
  }

  push(): void {
    throw new Error("Every push here is a message");
  }

  message(frame: MessageFrame): void {
    const { bytes } = frame;
    const channel = decodeText(bytes, frame.channelStart, frame.channelEnd);
    const payload = decodeText(bytes, frame.payloadStart, frame.payloadEnd);
    this.sum += channel.length + payload.length;
  }
}

function keywatch({ id, strings }: Workload): Run {
  const sink = new Keywatch();
  const decoder = new Decoder(sink, { strings, arrayPushes: id.startsWith("frames-2") });
  return (chunks) => {
    sink.sum = 0;
    for (const chunk of chunks) decoder.write(chunk);
    return sink.sum;
  };
}

function redis({ strings, isKept }: Workload): Run {
  const take = isKept ? kept : size;
  const mapping = strings === "bytes" ? { 36: Buffer } : {};
  let sum = 0;
  const onMessage = (items: Reply[]): void => {
    // As its client does, which gets pushes as buffers.
    sum += items[2]!.toString().length + items[3]!.toString().length;
  };
  const decoder = new RedisDecoder({
    onReply: (reply: Reply) => isMessage(reply) ? onMessage(reply) : sum += take(reply),
    onErrorReply: fail,
    onPush: onMessage,
    getTypeMapping: () => mapping,
  });
  return (chunks) => {
    sum = 0;
    for (const chunk of chunks) decoder.write(chunk);
    return sum;
  };
}

function redisParser({ strings, isKept }: Workload): Run {
  const take = isKept ? kept : size;
  let sum = 0;
  const parser = new RedisParser({
    returnBuffers: strings === "bytes",
    returnReply: (reply: Reply) => {
      sum += isMessage(reply)
        ? (reply[2] as string).length + (reply[3] as string).length
        : take(reply);
    },
    returnError: fail,
    returnFatalError: fail,
  });
  return (chunks) => {
    sum = 0;
    for (const chunk of chunks) parser.execute(chunk);
    return sum;
  };
}

function isMessage(reply: Reply): reply is Reply[] {
  return Array.isArray(reply) && reply.length === 4;
}

function size(reply: Reply): number {
  return (reply as { length: number }).length;
}

/** Copies each of the strings. */
function kept(reply: Reply): number {
  return size((reply as Buffer[]).map((string) => new Uint8Array(string)));
}

function fail(error: unknown): never {
  throw error;
}

function cut(bytes: Uint8Array, size: number): Buffer[] {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
  return chunks;
}

/** How long it takes to decode the chunks once. */
function time(run: Run, chunks: Buffer[], times: number): [milliseconds: number, sum: number] {
  collect();
  let sum = 0;
  const start = performance.now();
  for (let i = 0; i < times; i++) sum += run(chunks);
  return [(performance.now() - start) / times, sum];
}

function contest(workload: Workload): Measured {
  const runs: [decoder: string, run: Run, rounds: number[]][] = [
    ["keywatch", keywatch(workload), []],
    ["redis", redis(workload), []],
  ];
  if (workload.protocol === 2) runs.push(["redis-parser", redisParser(workload), []]);
  const chunks = cut(workload.bytes, workload.chunkSize);
  const sums = new Set<number>();
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const [, run, rounds] of runs) {
      const [milliseconds, sum] = time(run, chunks, workload.times ?? 1);
      sums.add(sum);
      if (round >= 0) rounds.push(milliseconds);
    }
    // Each is first, and each last, in its turn.
    runs.push(runs.shift()!);
  }
  if (sums.size !== 1) throw new Error(`${workload.id}: the decoders disagree`);
  const sorted = runs.map(([decoder, , rounds]) => [decoder, rounds.sort((a, b) => a - b)]);
  return { workload: workload.id, rounds: Object.fromEntries(sorted) };
}

const only = process.argv[2];
for (const workload of workloads()) {
  if (only === undefined || workload.id.startsWith(only)) {
    console.log(JSON.stringify(contest(workload)));
  }
}
