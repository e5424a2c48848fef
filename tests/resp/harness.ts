import {
  Decoder,
  type DecoderOptions,
  type DecoderSink,
  decodeText,
  type Reply,
  RespMap,
  ServerError,
} from "../../resp/mod.ts";
import type { Random } from "../random.ts";

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Each reply, push and message a decoder gives out, printed. */
export class Recorder implements DecoderSink {
  readonly events: string[] = [];

  record(event: string): void {
    this.events.push(event);
  }

  reply(reply: Reply): void {
    this.record(`reply ${show(reply)}`);
  }

  push(items: Reply[]): void {
    this.record(`push ${show(items)}`);
  }
}

/** One that takes messages on the straight path. */
export class MessageRecorder extends Recorder {
  message(frame: Parameters<NonNullable<DecoderSink["message"]>>[0]): void {
    const { bytes } = frame;
    const pattern = frame.patternStart === -1
      ? ""
      : `${JSON.stringify(decodeText(bytes, frame.patternStart, frame.patternEnd))} `;
    const channel = decodeText(bytes, frame.channelStart, frame.channelEnd);
    const payload = decodeText(bytes, frame.payloadStart, frame.payloadEnd);
    this.record(`message ${pattern}${JSON.stringify(channel)} ${JSON.stringify(payload)}`);
  }
}

/**
 * What comes of these chunks: events, and at the end the error, if any. Each chunk is overwritten
 * once it was written, as a caller may who uses one buffer for all.
 */
export function decode(
  chunks: Iterable<Uint8Array>,
  options?: DecoderOptions,
  recorder: Recorder = new Recorder(),
): string[] {
  const decoder = new Decoder(recorder, options);
  try {
    for (const chunk of chunks) {
      const own = chunk.slice();
      decoder.write(own);
      own.fill(0x58);
    }
  } catch (error) {
    recorder.events.push(String(error));
  }
  return recorder.events;
}

/** The pieces between these places. */
export function cut(whole: Uint8Array, ...places: number[]): Uint8Array[] {
  const ends = [...places, whole.length];
  return ends.map((end, i) => whole.subarray(i === 0 ? 0 : ends[i - 1]!, end));
}

/** Each byte alone. */
export function* single(whole: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < whole.length; i++) yield whole.subarray(i, i + 1);
}

/** Up to `count` places in order, none of them twice. */
export function randomPlaces(random: Random, length: number, count: number): number[] {
  const places = new Set<number>();
  for (let i = 0; i < count; i++) places.add(random.between(0, length));
  return [...places].sort((a, b) => a - b);
}

/** A reply as text in which everything shows: its types, its signs, its bytes. */
export function show(reply: Reply): string {
  if (reply instanceof Uint8Array) return `bytes(${[...reply].map(hex).join("")})`;
  if (reply === null) return "null";
  if (typeof reply === "string") return JSON.stringify(reply);
  if (typeof reply === "bigint") return `${reply}n`;
  if (typeof reply === "number") return Object.is(reply, -0) ? "-0" : String(reply);
  if (typeof reply === "boolean") return String(reply);
  if (Array.isArray(reply)) return `[${showAll(reply)}]`;
  if (reply instanceof RespMap) return `map(${showAll(reply.items)})`;
  if (reply instanceof ServerError) return `error(${reply.code}; ${JSON.stringify(reply.message)})`;
  throw new TypeError(`Cannot show ${String(reply)}: it is not a reply`);
}

function showAll(items: Reply[]): string {
  return items.map(show).join(", ");
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
