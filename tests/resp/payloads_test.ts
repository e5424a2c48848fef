import { assertEquals } from "@std/assert";
import { cut, decode, MessageRecorder, random, randomPlaces, Recorder, single } from "./harness.ts";
import { MESSAGES, type Payload, PUSHES, REPLIES } from "./payloads.ts";

const RANDOM_CUTS = 50;

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

function testAll(payloads: readonly Payload[], newRecorder: () => Recorder): void {
  for (const payload of payloads) {
    for (const [way, chunks] of ways(payload)) {
      const events = decode(chunks, payload.options, newRecorder());
      assertEquals(events, [...payload.events], `${payload.name}, ${way}`);
    }
  }
}

Deno.test("replies come out the same however they are cut", () => {
  testAll(REPLIES, () => new Recorder());
});

Deno.test("pushes come out apart from replies however they are cut", () => {
  testAll(PUSHES, () => new Recorder());
});

Deno.test("messages go to message and nowhere else however they are cut", () => {
  testAll(MESSAGES, () => new MessageRecorder());
});

Deno.test("a sink for messages changes nothing for replies", () => {
  testAll(REPLIES, () => new MessageRecorder());
});
