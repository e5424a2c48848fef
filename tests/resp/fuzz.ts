/**
 * Mutates what real servers sent and decodes that: whole and cut, on the straight path of messages and
 * on the general one. A program of its own, run by tests with a collector that can be called,
 * which prints a line of JSON. An input that fails is named with the seed; so it can be run again:
 *
 * ```sh
 * deno run --allow-read --v8-flags=--expose-gc tests/resp/fuzz.ts [inputs] [seed]
 * ```
 */
import {
  Decoder,
  type DecoderOptions,
  decodeText,
  type Reply,
  RespLimitError,
  RespSyntaxError,
} from "../../resp/mod.ts";
import { Random } from "../random.ts";
import { bytes, cut, MessageRecorder, randomPlaces, Recorder } from "./harness.ts";
import { living } from "./living.ts";

/** What came of a run. */
export interface Fuzzed {
  inputs: number;
  /** Inputs at whose end the decoder had not failed. */
  good: number;
  syntaxErrors: number;
  limitErrors: number;
  /** Messages that came by the straight path or as its general one laid them. */
  messages: number;
  /**
   * The most bytes that lived for {@linkcode HELD} decoders in the middle of their inputs, beyond what
   * lived before, looked at every {@linkcode LOOK_EVERY} inputs.
   */
  mostMemory: number;
}

/** So many of the last decoders are kept, with whatever they hold. */
export const HELD = 64;

const LOOK_EVERY = 1024;

const CAPTURES = ["resp2.bin", "resp3.bin"] as const;

/** Bytes that mean something, and some that do not. */
const ALPHABET = bytes("+-:$*_#,(!=%~>|;.\r\n0123456789?tfinae-\0 x\u00ff");

/** Numbers that have gone wrong somewhere before. */
const NUMBERS = [
  "-1",
  "-2",
  "0",
  "00",
  "1",
  "2",
  "?",
  "+1",
  "",
  "9",
  "10",
  "65536",
  "536870913",
  "33554432",
]
  .concat(["2147483648", "4294967296", "9007199254740993", "99999999999999999999", "1e9", "0x10"])
  .map(bytes);

/** Whole things, to be put in between. */
const PIECES = [
  "\r\n",
  "\r",
  "\n",
  "$?\r\n",
  ";3\r\nabc\r\n",
  ";0\r\n",
  ".\r\n",
  "*?\r\n",
  "%?\r\n",
  "~?\r\n",
  "|1\r\n+a\r\n:1\r\n",
  ">1\r\n+x\r\n",
  ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n",
  "*-1\r\n",
  "_\r\n",
  "*3\r\n",
  "%2\r\n",
  "=7\r\ntxt:abc\r\n",
  "!3\r\nERR\r\n",
].map(bytes);

/** One edit of the bytes. */
function mutate(input: Uint8Array, random: Random): Uint8Array {
  const at = random.between(0, input.length);
  const to = Math.min(input.length, at + random.below(12));
  const before = input.subarray(0, at);
  const replaced = (middle: Uint8Array, from: number): Uint8Array => {
    const output = new Uint8Array(at + middle.length + input.length - from);
    output.set(before);
    output.set(middle, at);
    output.set(input.subarray(from), at + middle.length);
    return output;
  };
  const none = new Uint8Array(0);
  switch (random.below(8)) {
    case 0:
      return replaced(Uint8Array.of(random.below(256)), Math.min(input.length, at + 1));
    case 1:
      return replaced(ALPHABET.subarray(random.below(ALPHABET.length)).subarray(0, 1), at);
    case 2:
      return replaced(ALPHABET.subarray(random.below(ALPHABET.length)).subarray(0, 1), to);
    case 3:
      return replaced(none, to);
    case 4:
      return replaced(input.slice(at, to), at);
    case 5:
      return replaced(random.pick(PIECES), at);
    case 6:
      return input.slice(0, at);
    default: {
      // The number after the next type byte, if one is near.
      const head = input.subarray(at, at + 40).findIndex((byte) => byte === 36 || byte === 42);
      const start = head === -1 ? at : at + head + 1;
      const end = input.indexOf(13, start);
      const number = random.pick(NUMBERS);
      const output = new Uint8Array(start + number.length + input.length - Math.max(start, end));
      output.set(input.subarray(0, start));
      output.set(number, start);
      output.set(input.subarray(Math.max(start, end)), start + number.length);
      return output;
    }
  }
}

/** A few replies of a capture, edited. */
function input(captures: readonly Capture[], random: Random): Uint8Array {
  const { wire, starts } = random.pick(captures);
  const first = random.below(starts.length);
  const start = starts[first]!;
  const end = starts[Math.min(starts.length - 1, first + 1 + random.below(6))]!;
  let bytes: Uint8Array = wire.slice(start, Math.min(Math.max(end, start + 20), start + 2000));
  for (let edits = random.between(1, 4); edits > 0; edits--) bytes = mutate(bytes, random);
  return bytes;
}

interface Capture {
  readonly wire: Uint8Array;
  /** Where its replies and pushes begin. */
  readonly starts: readonly number[];
}

function load(name: string): Capture {
  const wire = Deno.readFileSync(new URL(`captures/${name}`, import.meta.url));
  const starts = [0];
  const end = (): void => void starts.push(decoder.offset);
  const decoder: Decoder = new Decoder({ reply: end, push: end });
  decoder.write(wire);
  starts.pop();
  return { wire, starts };
}

/** Limits that much of what is in the captures exceeds. */
function limits(random: Random): DecoderOptions {
  return {
    maxLineLength: 32 + random.below(64),
    maxBulkLength: 1 + random.below(200),
    maxElements: 1 + random.below(8),
    maxDepth: 1 + random.below(4),
    maxHeldBytes: 500 + random.below(4000),
  };
}

function optionsOf(random: Random): DecoderOptions {
  return {
    strings: random.below(2) === 0 ? "bytes" : "text",
    arrayPushes: random.below(2) === 0,
    ...(random.below(4) === 0 ? limits(random) : {}),
  };
}

/** A push that has the items of a message, printed as a message is; else undefined. */
function asMessage(items: Reply[]): string | undefined {
  const kind = items.length === 3 ? "message" : items.length === 4 ? "pmessage" : undefined;
  const texts = items.flatMap((item) => {
    return typeof item === "string" ? item : item instanceof Uint8Array ? decodeText(item) : [];
  });
  if (texts[0] !== kind || texts.length !== items.length) return undefined;
  return `message ${texts.slice(1).map((text) => JSON.stringify(text)).join(" ")}`;
}

/** Takes messages as pushes. */
class General extends Recorder {
  override push(items: Reply[]): void {
    const message = asMessage(items);
    if (message === undefined) super.push(items);
    else this.record(message);
  }
}

/** Takes messages as such; what only has the items of one as a push. */
class Straight extends MessageRecorder {
  override push(items: Reply[]): void {
    General.prototype.push.call(this, items);
  }
}

interface Run {
  readonly decoder: Decoder;
  /** What came out, and at the end the error. */
  readonly events: string[];
  readonly error?: unknown;
}

/** Decodes in one way, into one that takes messages or one that takes them as pushes. */
function run(
  chunks: Iterable<Uint8Array>,
  options: DecoderOptions,
  recorder: Recorder,
): Run {
  const decoder = new Decoder(recorder, options);
  const { events } = recorder;
  try {
    for (const chunk of chunks) decoder.write(chunk.slice());
  } catch (error) {
    events.push(String(error));
    return { decoder, events, error };
  }
  return { decoder, events };
}

/**
 * Runs so many inputs.
 *
 * @throws {Error} When something else than the two errors comes out, or when an input gives different
 * replies or another error for being cut or for going the general path: it names the input.
 */
export function fuzz(inputs: number, seed: number): Fuzzed {
  const captures = CAPTURES.map(load);
  const random = new Random(seed);
  const fuzzed: Fuzzed = {
    inputs,
    good: 0,
    syntaxErrors: 0,
    limitErrors: 0,
    messages: 0,
    mostMemory: 0,
  };
  const held: Decoder[] = [];
  const before = living();
  for (let i = 0; i < inputs; i++) {
    const wire = input(captures, random);
    const options = optionsOf(random);
    const whole = run([wire], options, new Straight());
    const places = randomPlaces(random, wire.length, random.between(1, 6));
    const chunks = cut(wire, ...places);
    const others: [what: string, other: Run][] = [
      [`when cut at ${places}`, run(chunks, options, new Straight())],
      ["on the general path", run([wire], options, new General())],
      [`on the general path, cut at ${places}`, run(chunks, options, new General())],
    ];
    const expected = whole.events.join("\n");
    for (const [what, { events }] of others) {
      if (events.join("\n") === expected) continue;
      throw new Error(describe(`is another ${what}`, i, seed, wire, options));
    }
    for (const event of whole.events) if (event.startsWith("message ")) fuzzed.messages++;
    held[i % HELD] = others[0]![1].decoder;
    if (whole.error === undefined) fuzzed.good++;
    else if (whole.error instanceof RespSyntaxError) fuzzed.syntaxErrors++;
    else if (whole.error instanceof RespLimitError) fuzzed.limitErrors++;
    else {
      throw new Error(describe("throws another error", i, seed, wire, options), {
        cause: whole.error,
      });
    }
    if (i % LOOK_EVERY === LOOK_EVERY - 1) {
      fuzzed.mostMemory = Math.max(fuzzed.mostMemory, living() - before);
    }
  }
  return fuzzed;
}

function describe(
  what: string,
  i: number,
  seed: number,
  wire: Uint8Array,
  options: DecoderOptions,
): string {
  return `Input ${i} of seed ${seed} ${what}: ${JSON.stringify(decodeText(wire))} with ` +
    JSON.stringify(options);
}

if (import.meta.main) {
  const [inputs = "2000000", seed = "1"] = Deno.args;
  console.log(JSON.stringify(fuzz(Number(inputs), Number(seed))));
}
