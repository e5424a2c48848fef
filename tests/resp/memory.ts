/**
 * Measures what the decoder keeps alive, as one line of JSON. A program of its own, run with a
 * collector that can be called: the measure is what lives, not what was made. The argument is JSON:
 * {@linkcode Sizes}.
 */
import { Decoder, decodeText, type MessageFrame } from "../../resp/mod.ts";
import { bytes } from "./harness.ts";
import { living } from "./living.ts";

/** How much is made to see what of it lives. */
export interface Sizes {
  /** How many aggregates of each kind are announced. */
  readonly announced: number;
  /** How many texts of each kind are kept, one of a hundred. */
  readonly kept: number;
}

const { announced: ANNOUNCED, kept: KEPT }: Sizes = JSON.parse(Deno.args[0]!);

/** What `memory_bounds.ts` asserts on. */
export interface Measured {
  /** For each flood of values, the most that lived for each byte that may be held. */
  held: Record<string, number>;
  /** For each kind of aggregate, what one lives on whose head has come and one element. */
  announced: Record<string, number>;
  /** For each kind of reply, what lives on in its decoder once it was given out. */
  given: Record<string, number>;
  /** For each kind of text, what lives for each that is kept. */
  kept: Record<string, number>;
}

const x = (length: number): string => "x".repeat(length);

/** Values that take much more than they are on the wire. */
const FLOODS: readonly [head: string, part: string][] = [
  ["*1000000\r\n", "$0\r\n\r\n"],
  ["*1000000\r\n", "$1\r\nx\r\n"],
  ["*1000000\r\n", "*0\r\n"],
  ["*1000000\r\n", "*1\r\n_\r\n"],
  ["*1000000\r\n", "_\r\n"],
  ["*1000000\r\n", ",1.5\r\n"],
  ["*1000000\r\n", ":9223372036854775807\r\n"],
  ["*1000000\r\n", "-\r\n"],
  ["*1000000\r\n", "!0\r\n\r\n"],
  ["*1000000\r\n", `-${x(100)}\r\n`],
  ["*1000000\r\n", `+${x(1000)}\r\n`],
  ["*1000000\r\n", "+字\r\n"],
  ["*1000000\r\n", `$1000\r\n${x(1000)}\r\n`],
  ["*1000000\r\n", "=4\r\ntxt:\r\n"],
  ["*1000000\r\n", `(${"9".repeat(1000)}\r\n`],
  ["*1000000\r\n", "|0\r\n"],
  ["%500000\r\n", "%0\r\n"],
  ["*?\r\n", "~0\r\n"],
  ["$?\r\n", ";1\r\nx\r\n"],
  ["", "|1\r\n"],
  ["", "*1\r\n"],
  ["", "*?\r\n"],
  ["", "%1\r\n+k\r\n"],
];

function flood(head: string, part: string, strings: "bytes" | "text"): number {
  const limit = 2 ** 20;
  const chunk = bytes(part.repeat(100));
  // Large parts are refused after a few chunks.
  const every = part.length > 500 ? 1 : 24;
  const before = living();
  const decoder = new Decoder({ reply() {}, push() {} }, {
    strings,
    maxHeldBytes: limit,
    maxDepth: 1_000_000,
  });
  decoder.write(bytes(head));
  let most = 0;
  let refused = false;
  for (let written = 0; !refused; written++) {
    try {
      decoder.write(chunk);
    } catch (error) {
      if (!String(error).includes("maxHeldBytes")) throw error;
      refused = true;
    }
    if (written % every === 0) most = Math.max(most, living() - before);
  }
  const after = living() - before;
  // Named here, so that it lives until here.
  if (after > most / 2 && after > limit / 4) throw new Error(`${decoder.offset} bytes are kept`);
  return most / limit;
}

function announce(head: string): number {
  const limits = { maxElements: 2 ** 40, maxHeldBytes: 2 ** 45 };
  const decoders: Decoder[] = [];
  const before = living();
  for (let i = 0; i < ANNOUNCED; i++) {
    const decoder = new Decoder({ reply() {}, push() {} }, limits);
    decoder.write(bytes(`${head}\r\n:1\r\n`));
    decoders.push(decoder);
  }
  const after = living();
  return (after - before) / decoders.length;
}

/** Has a decoder give out something large, which nobody keeps. */
function give(wire: string, strings: "bytes" | "text"): number {
  const chunk = bytes(wire);
  let given = 0;
  const count = (): void => void given++;
  const before = living();
  const decoder = new Decoder({ reply: count, push: count }, { strings });
  decoder.write(chunk);
  const after = living() - before;
  // Named here, so that it lives until here.
  if (given !== 1 || decoder.offset !== chunk.length) throw new Error(`${given} were given`);
  return after;
}

const FLOOD = 100 * KEPT;
const DIGITS = 8;

/** One chunk that holds messages about keys with numbers, and where those numbers stand. */
function chunkOf(frame: (key: string) => string): { chunk: Uint8Array; places: number[] } {
  const key = `user:session:${"#".repeat(DIGITS)}`;
  const one = frame(key);
  const chunk = bytes(one.repeat(Math.floor(65_536 / one.length)));
  const places: number[] = [];
  for (let at = chunk.indexOf(35); at !== -1; at = chunk.indexOf(35, at + DIGITS)) places.push(at);
  return { chunk, places };
}

function number(chunk: Uint8Array, place: number, value: number): void {
  let rest = value;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    chunk[place + digit] = 48 + rest % 10;
    rest = Math.floor(rest / 10);
  }
}

/** Keeps one text of a hundred out of a flood. */
function keep(frame: (key: string) => string, text: (frame: MessageFrame) => string): number {
  const { chunk, places } = chunkOf(frame);
  const kept: string[] = [];
  let count = 0;
  const decoder = new Decoder({
    reply() {},
    push() {},
    message(frame) {
      const made = text(frame);
      if (count++ % (FLOOD / KEPT) === 0 && kept.length < KEPT) kept.push(made);
    },
  });
  const before = living();
  for (let sent = 0; sent < FLOOD; sent += places.length) {
    places.forEach((place, i) => number(chunk, place, sent + i));
    // A chunk of its own each time, as from a socket: what kept it alive would show.
    decoder.write(chunk.slice());
  }
  const after = living();
  if (new Set(kept).size !== KEPT) throw new Error(`${new Set(kept).size} texts were kept`);
  return (after - before) / KEPT;
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const keyspace = (key: string): string =>
  `>4\r\n$8\r\npmessage\r\n${bulk("__keyspace@0__:*")}${bulk(`__keyspace@0__:${key}`)}${
    bulk("set")
  }`;
const keyevent = (key: string): string =>
  `>3\r\n$7\r\nmessage\r\n${bulk("__keyevent@0__:set")}${bulk(key)}`;

const measured: Measured = {
  held: {},
  announced: {},
  given: {},
  kept: {},
};
for (const [head, part] of FLOODS) {
  for (const strings of ["bytes", "text"] as const) {
    measured.held[`${head}${part.slice(0, 20)} ${strings}`] = flood(head, part, strings);
  }
}
for (
  const head of [
    "*1000000000",
    "~1000000000",
    "%500000000",
    ">1000000000",
    "|500000000",
    "*1000000000\r\n".repeat(100) + "*1000000000",
  ]
) {
  measured.announced[head] = announce(head);
}
const MEGABYTES = 2 ** 23;
for (
  const wire of [
    `$${MEGABYTES}\r\n${x(MEGABYTES)}\r\n`,
    `*100000\r\n${"$1\r\nx\r\n".repeat(100_000)}`,
    `>100000\r\n${"$1\r\nx\r\n".repeat(100_000)}`,
    `|0\r\n%50000\r\n${"$1\r\nx\r\n".repeat(100_000)}`,
  ]
) {
  for (const strings of ["bytes", "text"] as const) {
    measured.given[`${wire.split("\r", 1)} ${strings}`] = give(wire, strings);
  }
}
measured.kept["channel"] = keep(
  keyspace,
  ({ bytes, channelStart, channelEnd }) => decodeText(bytes, channelStart, channelEnd),
);
measured.kept["payload"] = keep(
  keyevent,
  ({ bytes, payloadStart, payloadEnd }) => decodeText(bytes, payloadStart, payloadEnd),
);
measured.kept["key in a channel"] = keep(
  keyspace,
  ({ bytes, channelStart, channelEnd }) => decodeText(bytes, channelStart + 15, channelEnd),
);
console.log(JSON.stringify(measured));
