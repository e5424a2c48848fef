/**
 * The table of payloads, decoded in all the ways in which each may come, and texts beside what
 * `TextDecoder` makes of them. Bundled it is a program for any runtime, which prints what is wrong.
 */
import { decodeText } from "../../resp/mod.ts";
import { cut, decode, MessageRecorder, randomPlaces, Recorder, single } from "./harness.ts";
import { Random } from "../random.ts";
import { MESSAGES, type Payload, PUSHES, REPLIES } from "./payloads.ts";
import { mixedText } from "./texts.ts";

const RANDOM_CUTS = 50;

/** The middle of a payload longer than this is not cut at each place, unless that is asked for. */
const LONG = 500;
const STEP = 37;

/** How many texts are made, if not said otherwise. */
export const TEXTS = 5_000;

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

/** The payload in the ways in which it may come; in all of them where it is cut everywhere. */
function* ways(
  { wire }: Payload,
  everywhere: boolean,
): Generator<[way: string, chunks: Iterable<Uint8Array>]> {
  yield ["whole", [wire]];
  yield ["byte by byte", single(wire)];
  for (let place = 0; place <= wire.length; place++) {
    const isInside = place > LONG / 2 && place < wire.length - LONG / 2;
    if (isInside && !everywhere && place % STEP !== 0) continue;
    yield [`cut at ${place}`, cut(wire, place)];
  }
  const random = new Random(wire.length);
  for (let i = 0; i < RANDOM_CUTS; i++) {
    const places = randomPlaces(random, wire.length, random.between(1, 8));
    yield [`cut at ${places}`, cut(wire, ...places)];
  }
}

/**
 * What came out otherwise than the table says.
 *
 * @param everywhere whether long payloads are cut at each place, too
 */
export function wrongIn({ payloads, newRecorder }: Part, everywhere = false): string[] {
  const wrong: string[] = [];
  for (const payload of payloads) {
    for (const [way, chunks] of ways(payload, everywhere)) {
      const events = decode(chunks, payload.options, newRecorder()).join("; ");
      if (events === payload.events.join("; ")) continue;
      wrong.push(`${payload.name}, ${way}: ${events}`);
    }
  }
  return wrong;
}

/**
 * Texts that came out otherwise than the runtime's decoder has them, made or remembered.
 *
 * @param count how many are made
 */
export function wrongTexts(count: number = TEXTS): string[] {
  const reference = new TextDecoder("utf-8", { ignoreBOM: true });
  const random = new Random(1);
  const wrong: string[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = mixedText(random, random.below(80));
    const start = random.between(0, bytes.length);
    const end = random.between(start, bytes.length);
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
  const wrong = [...PARTS.flatMap((part) => wrongIn(part)), ...wrongTexts()];
  console.log(JSON.stringify({ counted, wrong: wrong.slice(0, 20) }));
}
