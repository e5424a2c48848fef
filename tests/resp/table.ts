/**
 * The table of payloads, decoded in all the ways in which each may come, and texts beside what
 * `TextDecoder` makes of them. Bundled it is a program for any runtime, which prints what is wrong.
 */
import { decodeText } from "../../resp/mod.ts";
import { cut, decode, MessageRecorder, random, randomPlaces, Recorder, single } from "./harness.ts";
import { MESSAGES, type Payload, PUSHES, REPLIES } from "./payloads.ts";
import { mixedText } from "./texts.ts";

const RANDOM_CUTS = 50;

/** How many texts are made. */
export const TEXTS = 20_000;

/** A part of the table and who takes what comes of it. */
export interface Part {
  readonly name: string;
  readonly payloads: readonly Payload[];
  readonly newRecorder: () => Recorder;
}

export const PARTS: readonly Part[] = [
  {
    name: "replies come out the same however they are cut",
    payloads: REPLIES,
    newRecorder: () => new Recorder(),
  },
  {
    name: "pushes come out apart from replies however they are cut",
    payloads: PUSHES,
    newRecorder: () => new Recorder(),
  },
  {
    name: "messages go to message and nowhere else however they are cut",
    payloads: MESSAGES,
    newRecorder: () => new MessageRecorder(),
  },
  {
    name: "a sink for messages changes nothing for replies",
    payloads: REPLIES,
    newRecorder: () => new MessageRecorder(),
  },
];

/** The payload in all the ways in which it may come. */
function* ways({ wire }: Payload): Generator<[way: string, chunks: Iterable<Uint8Array>]> {
  yield ["whole", [wire]];
  yield ["byte by byte", single(wire)];
  for (let place = 0; place <= wire.length; place++) {
    yield [`cut at ${place}`, cut(wire, place)];
  }
  const next = random(wire.length);
  for (let i = 0; i < RANDOM_CUTS; i++) {
    const places = randomPlaces(next, wire.length, 1 + next() % 8);
    yield [`cut at ${places}`, cut(wire, ...places)];
  }
}

/** What came out otherwise than the table says. */
export function wrongIn({ payloads, newRecorder }: Part): string[] {
  const wrong: string[] = [];
  for (const payload of payloads) {
    for (const [way, chunks] of ways(payload)) {
      const events = decode(chunks, payload.options, newRecorder()).join("; ");
      if (events === payload.events.join("; ")) continue;
      wrong.push(`${payload.name}, ${way}: ${events}`);
    }
  }
  return wrong;
}

/** Texts that came out otherwise than the runtime's decoder has them, made or remembered. */
export function wrongTexts(): string[] {
  const reference = new TextDecoder("utf-8", { ignoreBOM: true });
  const next = random(1);
  const wrong: string[] = [];
  for (let i = 0; i < TEXTS; i++) {
    const bytes = mixedText(next, next() % 80);
    const start = next() % (bytes.length + 1);
    const end = start + next() % (bytes.length - start + 1);
    const expected = reference.decode(bytes.subarray(start, end));
    for (let again = 0; again < 3; again++) {
      const text = decodeText(bytes, start, end);
      if (text !== expected) wrong.push(`${bytes.subarray(start, end)}: ${JSON.stringify(text)}`);
    }
  }
  return wrong;
}

/** Everything, as a runtime prints it. */
export function printAll(): void {
  const counted = PARTS.reduce((sum, { payloads }) => sum + payloads.length, TEXTS);
  const wrong = [...PARTS.flatMap(wrongIn), ...wrongTexts()];
  console.log(JSON.stringify({ counted, wrong: wrong.slice(0, 20) }));
}
