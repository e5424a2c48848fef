/**
 * What decoding costs, counted.
 *
 * @module
 */
// Before the codec, because it counts what that takes.
import { countWork, type Work } from "./work.ts";
import { assertEquals, assertLess } from "@std/assert";
import { Decoder, type DecoderOptions, type Reply, type RespMap } from "../../resp/mod.ts";
import { bytes, single } from "./harness.ts";

/** What it takes to decode these chunks, and how many replies, pushes and messages come of them. */
export function work(
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

/**
 * How often a byte may be looked at, copied or decoded, at most. Over and over, with single bytes,
 * would be thousands of times.
 */
export const MOST_TOUCHES = 100;

/** Values of `size` bytes each, and how many replies, pushes and messages they are. */
function long(size: number): [name: string, wire: string, given: number][] {
  const messages = Math.floor(size / 33);
  return [
    ["a simple string", `+${"x".repeat(size)}\r\n`, 1],
    ["an error", `-${"x".repeat(size)}\r\n`, 1],
    ["a big number", `(${"9".repeat(size)}\r\n`, 1],
    ["a double", `,${"9".repeat(size)}\r\n`, 1],
    ["a length of zeros", `$${"0".repeat(size)}1\r\nx\r\n`, 1],
    ["a bulk string", `$${size}\r\n${"x".repeat(size)}\r\n`, 1],
    ["a bulk error", `!${size}\r\n${"x".repeat(size)}\r\n`, 1],
    ["a verbatim string", `=${size + 4}\r\ntxt:${"x".repeat(size)}\r\n`, 1],
    ["a streamed string", `$?\r\n${";1\r\nx\r\n".repeat(size / 7)};0\r\n`, 1],
    ["an array", `*${size / 4}\r\n${":1\r\n".repeat(size / 4)}`, 1],
    ["a streamed array", `*?\r\n${":1\r\n".repeat(size / 4)}.\r\n`, 1],
    ["a map", `%${size / 8}\r\n${":1\r\n".repeat(size / 4)}`, 1],
    ["many replies", "+OK\r\n".repeat(size / 5), size / 5],
    ["many messages", ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n".repeat(messages), messages],
    ["a long message", `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3000\r\n${"x".repeat(3000)}\r\n`, 1],
    [
      "a longer message",
      `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${size}\r\n${"x".repeat(size)}\r\n`,
      1,
    ],
  ];
}

/**
 * Registers a test of values that come byte by byte.
 *
 * @param size of each, in bytes
 */
export function testSingleBytes(size: number): void {
  Deno.test("single bytes cost no more than a bounded number of looks at each", () => {
    for (const strings of ["bytes", "text"] as const) {
      for (const [name, wire, given] of long(size)) {
        const all = bytes(wire);
        const done = work(single(all), { strings });
        assertEquals([done.given, done.error], [given, undefined], name);
        assertLess(done.touched, MOST_TOUCHES * all.length, `${name} as ${strings}`);
      }
    }
  });
}

/**
 * Registers a test of large aggregates.
 *
 * @param some how many elements those have whose cost is counted
 */
export function testAggregates(some: number): void {
  Deno.test("an aggregate of a million elements costs a bounded number of looks at each byte", () => {
    const heads = (count: number): string[] => [
      `*${count}\r\n`,
      `~${count}\r\n`,
      `%${count / 2}\r\n`,
      "*?\r\n",
    ];
    const all = 1_000_000;
    const chunk = bytes(":1\r\n".repeat(1000));
    for (const head of heads(all)) {
      const replies: Reply[] = [];
      const decoder = new Decoder({ reply: (reply) => replies.push(reply), push() {} });
      decoder.write(bytes(head));
      for (let i = 0; i < all / 1000; i++) decoder.write(chunk);
      if (head === "*?\r\n") decoder.write(bytes(".\r\n"));
      const [reply] = replies;
      const items = Array.isArray(reply) ? reply : (reply as RespMap).items;
      assertEquals([items.length, items[0], items[all - 1]], [all, 1, 1], head);
    }
    for (const head of heads(some)) {
      const done = work([bytes(head), ...new Array(some / 1000).fill(chunk), bytes(".\r\n")]);
      assertEquals(done.given, 1, head);
      assertLess(done.touched, MOST_TOUCHES * 4 * some, head);
    }
  });
}
