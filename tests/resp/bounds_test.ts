// Before the codec, because it counts what that takes.
import { countWork } from "./work.ts";
import { MOST_TOUCHES, testAggregates, testSingleBytes, work } from "./bounds.ts";
import { assertEquals, assertLess } from "@std/assert";
import { Decoder } from "../../resp/mod.ts";
import { bytes, single } from "./harness.ts";

function* pieces(whole: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
}

Deno.test("a line without an end costs nothing more once it is refused", () => {
  const all = bytes(`+${"x".repeat(70_000)}`);
  const done = work(single(all));
  assertEquals(String(done.error).includes("maxLineLength"), true);
  assertLess(done.touched, MOST_TOUCHES * all.length);
});

Deno.test("20,000 levels are read within the limit, and one more is refused", () => {
  const depth = 20_000;
  const heads = ["*1\r\n", "%1\r\n+k\r\n", "~1\r\n", "*?\r\n"];
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
  // Each part is copied once and decoded once.
  assertLess(asText.touched, 2.1 * length);
  assertLess(asText.reserved, 0.1 * length);
});

Deno.test("what is announced reserves no more than a step beyond what has come", () => {
  const step = 2 ** 20;
  const limits = { maxBulkLength: 2 ** 29 - 24, maxElements: 2 ** 40, maxHeldBytes: 2 ** 45 };
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

Deno.test("a bulk beyond 32 MiB reserves no more than twice what has come of it", () => {
  const chunk = new Uint8Array(2 ** 20);
  const length = 300 * 2 ** 20;
  let come = 0;
  const counted = countWork((count) => {
    const limits = { maxBulkLength: length, maxHeldBytes: 2 * length };
    const decoder = new Decoder({ reply() {}, push() {} }, limits);
    decoder.write(count(bytes(`$${length}\r\n`)));
    for (; come < 100 * 2 ** 20; come += chunk.length) decoder.write(count(chunk));
  });
  // Each array is twice as long as the one before, which is free by then.
  assertLess(counted.reserved, 3 * come);
});

testSingleBytes(12_000);
testAggregates(20_000);
