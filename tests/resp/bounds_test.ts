// Before the codec, because it counts what that takes.
import { countWork, type Work } from "./work.ts";
import { assertEquals, assertLess } from "@std/assert";
import {
  Decoder,
  type DecoderOptions,
  type Reply,
  type RespMap,
  type RespSet,
} from "../../resp/mod.ts";
import { bytes, single } from "./harness.ts";

/** What it takes to decode these chunks, and how many replies, pushes and messages come of them. */
function work(
  chunks: Iterable<Uint8Array>,
  options: DecoderOptions = {},
): Work & { given: number; error?: unknown } {
  let given = 0;
  let error: unknown;
  const give = (): void => void given++;
  const counted = countWork((count) => {
    const decoder = new Decoder({ reply: give, push: give, message: give }, options);
    try {
      for (const chunk of chunks) decoder.write(count(chunk));
    } catch (caught) {
      error = caught;
    }
  });
  return { ...counted, given, ...(error === undefined ? {} : { error }) };
}

function* pieces(whole: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
}

const SIZE = 12_000;

// In all of these a byte may be looked at, copied and decoded, but not over and over: with single
// bytes that would be thousands of times.
const MOST_TOUCHES = 100;

const LONG: [name: string, wire: string, given: number][] = [
  ["a simple string", `+${"x".repeat(SIZE)}\r\n`, 1],
  ["an error", `-${"x".repeat(SIZE)}\r\n`, 1],
  ["a big number", `(${"9".repeat(SIZE)}\r\n`, 1],
  ["a double", `,${"9".repeat(SIZE)}\r\n`, 1],
  ["a length of zeros", `$${"0".repeat(SIZE)}1\r\nx\r\n`, 1],
  ["a bulk string", `$${SIZE}\r\n${"x".repeat(SIZE)}\r\n`, 1],
  ["a bulk error", `!${SIZE}\r\n${"x".repeat(SIZE)}\r\n`, 1],
  ["a verbatim string", `=${SIZE + 4}\r\ntxt:${"x".repeat(SIZE)}\r\n`, 1],
  ["a streamed string", `$?\r\n${";1\r\nx\r\n".repeat(SIZE / 7)};0\r\n`, 1],
  ["an array", `*${SIZE / 4}\r\n${":1\r\n".repeat(SIZE / 4)}`, 1],
  ["a streamed array", `*?\r\n${":1\r\n".repeat(SIZE / 4)}.\r\n`, 1],
  ["a map", `%${SIZE / 8}\r\n${":1\r\n".repeat(SIZE / 4)}`, 1],
  ["many replies", "+OK\r\n".repeat(SIZE / 5), SIZE / 5],
  ["many messages", ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n".repeat(SIZE / 33), 363],
  ["a long message", `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3000\r\n${"x".repeat(3000)}\r\n`, 1],
  ["a longer message", `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${SIZE}\r\n${"x".repeat(SIZE)}\r\n`, 1],
];

Deno.test("single bytes cost no more than a bounded number of looks at each", () => {
  for (const strings of ["bytes", "text"] as const) {
    for (const [name, wire, given] of LONG) {
      const all = bytes(wire);
      const done = work(single(all), { strings });
      assertEquals([done.given, done.error], [given, undefined], name);
      assertLess(done.touched, MOST_TOUCHES * all.length, `${name} as ${strings}`);
    }
  }
});

Deno.test("a line without an end costs no more when it is refused", () => {
  const all = bytes(`+${"x".repeat(70_000)}`);
  const done = work(single(all));
  assertEquals(String(done.error).includes("maxLineLength"), true);
  assertLess(done.touched, MOST_TOUCHES * all.length);
});

Deno.test("20,000 levels are read within the limit, and one more is refused", () => {
  const depth = 20_000;
  const heads = ["*1\r\n", "%1\r\n+k\r\n", "~1\r\n", "*?\r\n", "|1\r\n+k\r\n+v\r\n"];
  for (const head of heads) {
    const tail = head === "*?\r\n" ? ".\r\n".repeat(depth) : "";
    for (const size of [1, 1000, 1_000_000]) {
      const chunks = pieces(bytes(head.repeat(depth) + "_\r\n" + tail), size);
      let replies = 0;
      const decoder = new Decoder({ reply: () => void replies++, push() {} }, { maxDepth: depth });
      for (const chunk of chunks) decoder.write(chunk);
      assertEquals(replies, 1, head);
    }
    const done = work([bytes(head.repeat(depth + 1))], { maxDepth: depth });
    assertEquals(String(done.error).includes("maxDepth, which is 20000"), true);
  }
  const all = bytes("*1\r\n".repeat(depth) + "_\r\n");
  assertLess(work(single(all), { maxDepth: depth }).touched, MOST_TOUCHES * all.length);
});

Deno.test("a bulk of 32 MiB in chunks of 64 KiB is copied at most twice", () => {
  const length = 32 * 2 ** 20;
  const chunk = new Uint8Array(2 ** 16).fill(0x78);
  function* chunks(): Generator<Uint8Array> {
    yield bytes(`$${length}\r\n`);
    for (let sent = 0; sent < length; sent += chunk.length) yield chunk;
    yield bytes("\r\n");
  }
  const asBytes = work(chunks());
  assertEquals(asBytes.given, 1);
  assertLess(asBytes.touched, 2 * length);
  assertLess(asBytes.reserved, 1.1 * length);
  const asText = work(chunks(), { strings: "text" });
  assertEquals(asText.given, 1);
  assertLess(asText.touched, 1.1 * length);
  assertLess(asText.reserved, 0.1 * length);
});

Deno.test("an aggregate of a million elements costs a bounded number of looks at each byte", () => {
  const heads = (count: number): string[] => [
    `*${count}\r\n`,
    `~${count}\r\n`,
    `%${count / 2}\r\n`,
    "*?\r\n",
  ];
  const all = 1_000_000;
  const some = 20_000;
  const chunk = bytes(":1\r\n".repeat(1000));
  for (const head of heads(all)) {
    const replies: Reply[] = [];
    const decoder = new Decoder({ reply: (reply) => replies.push(reply), push() {} });
    decoder.write(bytes(head));
    for (let i = 0; i < all / 1000; i++) decoder.write(chunk);
    if (head === "*?\r\n") decoder.write(bytes(".\r\n"));
    const [reply] = replies;
    const items = Array.isArray(reply) ? reply : (reply as RespMap | RespSet).items;
    assertEquals([items.length, items[0], items[all - 1]], [all, 1, 1], head);
  }
  for (const head of heads(some)) {
    const done = work([bytes(head), ...new Array(some / 1000).fill(chunk), bytes(".\r\n")]);
    assertEquals(done.given, 1, head);
    assertLess(done.touched, MOST_TOUCHES * 4 * some, head);
  }
});

Deno.test("what is announced reserves no more than a step beyond what has come", () => {
  const step = 2 ** 20;
  const limits = { maxBulkLength: 2 ** 40, maxElements: 2 ** 40, maxHeldBytes: 2 ** 45 };
  for (
    const head of ["$500000000", "!500000000", "=500000000", "$?\r\n;500000000"]
  ) {
    for (const strings of ["bytes", "text"] as const) {
      const none = work([bytes(`${head}\r\n`)], { ...limits, strings });
      assertLess(none.reserved, 2 ** 17, head);
      const some = work([bytes(`${head}\r\n`), new Uint8Array(1000)], { ...limits, strings });
      assertLess(some.reserved, 1000 + step + 2 ** 17, head);
      assertEquals(some.error, undefined);
    }
  }
});

Deno.test("once a megabyte has come, no more than 32 are reserved beyond", () => {
  const chunk = new Uint8Array(2 ** 20);
  const length = 300 * 2 ** 20;
  let come = 0;
  const counted = countWork((count) => {
    const limits = { maxBulkLength: length, maxHeldBytes: 2 * length };
    const decoder = new Decoder({ reply() {}, push() {} }, limits);
    decoder.write(count(bytes(`$${length}\r\n`)));
    for (; come < 100 * 2 ** 20; come += chunk.length) decoder.write(count(chunk));
  });
  assertLess(counted.reserved, come + 33 * 2 ** 20);
});
