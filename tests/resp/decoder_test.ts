import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Decoder,
  type DecoderSink,
  decodeText,
  type MessageFrame,
  type Reply,
  RespSyntaxError,
} from "../../resp/mod.ts";
import { join } from "./arbitrary.ts";
import { bytes, cut, MessageRecorder, Recorder } from "./harness.ts";

const MESSAGE = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n";
const PMESSAGE = ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\np\r\n";

/** Throws at each event whose number is in `at`, once it is recorded. */
class Thrower extends MessageRecorder {
  constructor(readonly at: readonly number[]) {
    super();
  }

  override record(event: string): void {
    super.record(event);
    const count = this.events.length;
    if (this.at.includes(count)) throw new Error(`thrown at ${count}`);
  }
}

Deno.test("stops at once when the sink throws, wherever the stream is cut", () => {
  const stream = `+a\r\n${MESSAGE}*2\r\n:1\r\n:2\r\n>1\r\n+x\r\n${PMESSAGE}$1\r\nz\r\n`;
  const expected = [
    'reply "a"',
    'message "c" "p"',
    "reply [1, 2]",
    'push ["x"]',
    'message "*" "c" "p"',
    "reply bytes(7a)",
  ];
  for (let at = 1; at <= expected.length; at++) {
    for (let place = 0; place < stream.length; place++) {
      const sink = new Thrower([at]);
      const decoder = new Decoder(sink);
      let thrown = 0;
      for (const chunk of [...cut(bytes(stream), place), bytes("+after\r\n")]) {
        try {
          decoder.write(chunk);
        } catch (error) {
          assertEquals((error as Error).message, `thrown at ${at}`);
          thrown++;
        }
      }
      assertEquals(thrown > 0, true);
      assertEquals(sink.events, expected.slice(0, at), `cut at ${place}`);
    }
  }
});

Deno.test("throws the sink's error again on every later write", () => {
  const error = new RespSyntaxError(0, "something", "another thing");
  const decoder = new Decoder({
    reply() {
      throw error;
    },
    push() {},
  });
  for (let i = 0; i < 3; i++) {
    const thrown = assertThrows(() => decoder.write(bytes("+a\r\n:x\r\n")));
    assertStrictEquals(thrown, error);
  }
  assertEquals(decoder.offset, 4);
});

Deno.test("a sink cannot write to its own decoder", () => {
  for (const wire of ["+a\r\n", MESSAGE, ">1\r\n+x\r\n"]) {
    const again = (): void => decoder.write(bytes("+b\r\n"));
    const decoder: Decoder = new Decoder({ reply: again, push: again, message: again });
    assertThrows(() => decoder.write(bytes(wire)), Error, "from within its own sink");
  }
});

Deno.test("offset is the place after what was read, within a call too", () => {
  const stream = `+a\r\n${MESSAGE}$3\r\nabc\r\n${PMESSAGE}`;
  const ends = [4, 4 + MESSAGE.length, 13 + MESSAGE.length, stream.length];
  for (let place = 0; place <= stream.length; place++) {
    const seen: number[] = [];
    const see = (): number => seen.push(decoder.offset);
    const decoder: Decoder = new Decoder({ reply: see, push: see, message: see });
    for (const chunk of cut(bytes(stream), place)) decoder.write(chunk);
    assertEquals(seen, ends, `cut at ${place}`);
    assertEquals(decoder.offset, stream.length);
  }
});

Deno.test("arrays of each kind that servers push in RESP2 become pushes, and no others", () => {
  const kinds = (name: string) => [name, `p${name}`, `s${name}`];
  const pushed = ["message", "subscribe", "unsubscribe"].flatMap(kinds);
  for (const kind of [...pushed, "pong", "Message", "message ", "subscrib"]) {
    const recorder = new Recorder();
    const decoder = new Decoder(recorder, { strings: "text", arrayPushes: true });
    decoder.write(bytes(`*2\r\n$${kind.length}\r\n${kind}\r\n$1\r\nc\r\n`));
    const what = pushed.includes(kind) ? "push" : "reply";
    assertEquals(recorder.events, [`${what} ["${kind}", "c"]`]);
  }
});

Deno.test("arrays become pushes from the moment that arrayPushes is set, within a call too", () => {
  const array = MESSAGE.replace(">", "*");
  const stream = bytes(`${array}+on\r\n${array}${array}+off\r\n${array}`);
  for (let place = 0; place <= stream.length; place++) {
    const recorder = new MessageRecorder();
    const decoder: Decoder = new Decoder({
      reply(reply: Reply) {
        if (reply === "on") decoder.arrayPushes = true;
        if (reply === "off") decoder.arrayPushes = false;
        recorder.reply(reply);
      },
      push: (items) => recorder.push(items),
      message: (frame) => recorder.message(frame),
    }, { strings: "text" });
    for (const chunk of cut(stream, place)) decoder.write(chunk);
    assertEquals(recorder.events, [
      'reply ["message", "c", "p"]',
      'reply "on"',
      'message "c" "p"',
      'message "c" "p"',
      'reply "off"',
      'reply ["message", "c", "p"]',
    ], `cut at ${place}`);
  }
});

Deno.test("arrayPushes counts when the head of an array is read, not later", () => {
  const array = bytes(MESSAGE.replace(">", "*"));
  for (let place = 4; place < array.length; place++) {
    for (const before of [true, false]) {
      const recorder = new MessageRecorder();
      const decoder = new Decoder(recorder, { arrayPushes: before });
      assertEquals(decoder.arrayPushes, before);
      const [first, second] = cut(array, place);
      decoder.write(first!);
      decoder.arrayPushes = !before;
      decoder.write(second!);
      const expected = before ? 'message "c" "p"' : "reply [";
      assertEquals(recorder.events.map((event) => event.startsWith(expected)), [true], `${place}`);
    }
  }
});

Deno.test("an array that began as a push is one, even where it turns out to be no message", () => {
  const array = bytes("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n");
  for (const recorder of [MessageRecorder, Recorder]) {
    for (let place = 4; place < array.length; place++) {
      const sink = new recorder();
      const decoder = new Decoder(sink, { arrayPushes: true, strings: "text" });
      const [first, second] = cut(array, place);
      decoder.write(first!);
      decoder.arrayPushes = false;
      decoder.write(second!);
      assertEquals(sink.events, ['push ["message", "c", 1]'], `cut at ${place}`);
    }
  }
});

Deno.test("arrayPushes changed in the middle of a message disturbs nothing after it", () => {
  const array = MESSAGE.replace(">", "*");
  for (let place = 1; place < array.length; place++) {
    const recorder = new MessageRecorder();
    const decoder = new Decoder(recorder, { arrayPushes: true });
    const [first, second] = cut(bytes(`${array}:1\r\n${array}`), place);
    decoder.write(first!);
    decoder.arrayPushes = false;
    decoder.arrayPushes = true;
    decoder.write(second!);
    assertEquals(recorder.events, ['message "c" "p"', "reply 1", 'message "c" "p"']);
  }
});

Deno.test("nothing given out shares memory with a chunk or with another value", () => {
  const replies: Reply[] = [];
  const decoder = new Decoder({
    reply: (reply) => replies.push(reply),
    push: (it) => replies.push(it),
  });
  const chunk = bytes(
    "$3\r\nabc\r\n*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n>1\r\n$3\r\nabc\r\n=7\r\ntxt:abc\r\n",
  );
  decoder.write(chunk);
  chunk.fill(0);
  const [one, [two, three], [four], verbatim] = replies as [
    Uint8Array,
    Uint8Array[],
    Uint8Array[],
    Uint8Array,
  ];
  const values = [one, two!, three!, four!, verbatim];
  for (const value of values) {
    assertEquals(decodeText(value), "abc");
    value.fill(0x78);
  }
  for (const value of values) assertEquals([...value], [0x78, 0x78, 0x78]);
});

Deno.test("small strings of an aggregate share a kilobyte at most, others nothing", () => {
  const replies: Reply[] = [];
  const decoder = new Decoder({ reply: (reply) => replies.push(reply), push() {} });
  const strings = Array.from({ length: 500 }, (_, i) => bytes("x".repeat(i % 80)));
  const parts = strings.map((string) => [`$${string.length}\r\n`, string, "\r\n"]).flat();
  decoder.write(join("$3\r\nabc\r\n", `*${strings.length}\r\n`, ...parts));
  const [alone, together] = replies as [Uint8Array, Uint8Array[]];
  assertEquals(alone.buffer.byteLength, 3);
  assertEquals(together, strings);
  for (const string of together) {
    const most = string.length > 64 ? string.length : 1024;
    assertEquals(string.buffer.byteLength <= most, true, `${string.length} bytes`);
  }
});

Deno.test("strings of one aggregate are apart, also where their chunks are one array used again", () => {
  const strings = Array.from({ length: 500 }, (_, i) => `${i}`.padStart(i % 70, "x"));
  const wire = bytes(`*500\r\n${strings.map((it) => `$${it.length}\r\n${it}\r\n`).join("")}`);
  for (const size of [7, 100, 1000, 5000]) {
    const replies: Reply[] = [];
    const decoder = new Decoder({ reply: (reply) => replies.push(reply), push() {} });
    const chunk = new Uint8Array(size);
    for (let at = 0; at < wire.length; at += size) {
      const piece = wire.subarray(at, at + size);
      chunk.set(piece);
      // The same array each time, but for the last of the pieces.
      decoder.write(piece.length < size ? chunk.subarray(0, piece.length) : chunk);
    }
    const items = replies[0] as Uint8Array[];
    assertEquals(items.map((item) => decodeText(item)), strings);
    items.forEach((item, i) => item.fill(i));
    items.forEach((item, i) => assertEquals(item.every((byte) => byte === (i & 255)), true));
  }
});

Deno.test("a subclass of Uint8Array is read and copied like any other", () => {
  class Sub extends Uint8Array {
    override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
      return this.subarray(start, end) as Uint8Array<ArrayBuffer>;
    }
  }
  const replies: Reply[] = [];
  const frames: Uint8Array[] = [];
  const decoder = new Decoder({
    reply: (reply) => replies.push(reply),
    push() {},
    message: ({ bytes, channelStart, channelEnd }: MessageFrame) =>
      frames.push(bytes.slice(channelStart, channelEnd)),
  });
  const chunk = Sub.from(bytes(`  $3\r\nabc\r\n${MESSAGE}`)).subarray(2);
  decoder.write(chunk);
  chunk.fill(0);
  assertEquals(replies, [bytes("abc")]);
  assertEquals(frames, [bytes("c")]);
});

Deno.test("a chunk that is not bytes is refused, and the stream continues", () => {
  const recorder = new Recorder();
  const decoder = new Decoder(recorder);
  decoder.write(bytes("$2\r\na"));
  const refused: [chunk: unknown, said: string][] = [
    ["+OK\r\n", "string"],
    [bytes("+OK\r\n").buffer, "object"],
    [[43, 13, 10], "object"],
    [7, "number"],
    [null, "object"],
    [undefined, "undefined"],
  ];
  for (const [chunk, said] of refused) {
    const error = assertThrows(() => decoder.write(chunk as Uint8Array), TypeError);
    assertEquals(error.message, `Cannot read a chunk of type ${said}: it must be a Uint8Array`);
  }
  decoder.write(bytes("b\r\n"));
  assertEquals(recorder.events, ["reply bytes(6162)"]);
});

Deno.test("one frame object serves all messages", () => {
  const frames = new Set<MessageFrame>();
  const decoder = new Decoder({
    reply() {},
    push() {},
    message: (frame) => void frames.add(frame),
  });
  for (const chunk of cut(bytes(MESSAGE + PMESSAGE + MESSAGE), 50)) decoder.write(chunk);
  assertEquals(frames.size, 1);
});

/** The memory each message lay in. */
class Places implements DecoderSink {
  readonly buffers: ArrayBufferLike[] = [];

  reply(): void {}

  push(): void {}

  message(frame: MessageFrame): void {
    this.buffers.push(frame.bytes.buffer);
  }
}

const FORMS = [MESSAGE, PMESSAGE].flatMap((wire) => [wire, wire.replace(">", "*")]);

Deno.test("a message that lies whole in the chunk is a view of the chunk's memory", () => {
  for (const form of FORMS) {
    const places = new Places();
    const decoder = new Decoder(places, { arrayPushes: true });
    const chunk = bytes(`+OK\r\n${form}${form}+OK\r\n${form}`);
    decoder.write(chunk);
    assertEquals(places.buffers.length, 3);
    for (const buffer of places.buffers) assertStrictEquals(buffer, chunk.buffer);
  }
});

Deno.test("short messages that are cut are laid in one place kept for them", () => {
  for (const form of FORMS) {
    const places = new Places();
    const decoder = new Decoder(places, { arrayPushes: true });
    for (let place = 1; place < form.length; place++) {
      for (const chunk of cut(bytes(`:1\r\n${form}`), place + 4)) decoder.write(chunk);
      for (const byte of bytes(form)) decoder.write(Uint8Array.of(byte));
    }
    assertEquals(places.buffers.length, 2 * (form.length - 1));
    assertEquals(new Set(places.buffers).size, 1);
  }
});

Deno.test("stops at once when the sink throws at a long message that was cut", () => {
  const long = MESSAGE.replace("$1\r\np", `$5000\r\n${"p".repeat(5000)}`);
  const sink = new Thrower([1]);
  const decoder = new Decoder(sink);
  const [first, second] = cut(bytes(`${long}+after\r\n`), 3000);
  decoder.write(first!);
  assertThrows(() => decoder.write(second!), Error, "thrown at 1");
  assertEquals(sink.events.map((event) => event.slice(0, 9)), ['message "']);
});

Deno.test("a long message that was cut keeps bytes that are not UTF-8, in any form", () => {
  const payload = new Uint8Array(5000).fill(0xff);
  const usual = join(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5000\r\n", payload, "\r\n");
  const unusual = join(">3\r\n+message\r\n+c\r\n=5004\r\ntxt:", payload, "\r\n");
  const cases = [["bytes", usual], ["text", usual], ["bytes", unusual]] as const;
  for (const [strings, wire] of cases) {
    const payloads: Uint8Array[] = [];
    const decoder = new Decoder({
      reply() {},
      push() {},
      message: ({ bytes, payloadStart, payloadEnd }) =>
        payloads.push(bytes.slice(payloadStart, payloadEnd)),
    }, { strings });
    for (const chunk of cut(wire, 1000)) decoder.write(chunk);
    assertEquals(payloads, [payload]);
  }
});

Deno.test("an array that is not a push has bytes if bytes were requested", () => {
  const recorder = new Recorder();
  const decoder = new Decoder(recorder, { arrayPushes: true });
  decoder.write(bytes("*2\r\n$4\r\npong\r\n$0\r\n\r\n"));
  assertEquals(recorder.events, ["reply [bytes(706f6e67), bytes()]"]);
});

Deno.test("empty chunks are nothing", () => {
  const recorder = new Recorder();
  const decoder = new Decoder(recorder);
  const none = new Uint8Array(0);
  for (const byte of bytes(`*1\r\n$1\r\na\r\n${MESSAGE}`)) {
    decoder.write(none);
    decoder.write(Uint8Array.of(byte));
    decoder.write(none);
  }
  assertEquals(recorder.events.length, 2);
});
