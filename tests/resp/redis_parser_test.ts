import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import RedisParser from "npm:redis-parser@3.0.0";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { Random } from "../random.ts";
import { bytes, cut, decode, randomPlaces, Recorder } from "./harness.ts";

/** A value as both can print it: that parser gives integers as text and status lines as bytes. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return `bytes ${[...value]}`;
  if (value instanceof ServerError) return `error ${value.message}`;
  if (value instanceof Error) return `error ${value.message}`;
  return value;
}

class Values extends Recorder {
  readonly values: unknown[] = [];

  override reply(reply: Reply): void {
    this.values.push(plain(asTheirs(reply)));
  }
}

function asTheirs(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(asTheirs);
  if (typeof reply === "string") return bytes(reply);
  if (typeof reply === "number" || typeof reply === "bigint") return String(reply);
  return reply;
}

function theirs(chunks: Iterable<Uint8Array>): unknown[] {
  const values: unknown[] = [];
  const parser = new RedisParser({
    returnBuffers: true,
    stringNumbers: true,
    returnReply: (value: unknown) => values.push(plain(value)),
    returnError: (error: Error) => values.push(plain(error)),
    returnFatalError: (error: Error) => {
      throw error;
    },
  });
  for (const chunk of chunks) parser.execute(Buffer.from(chunk));
  return values;
}

function ours(chunks: Iterable<Uint8Array>): unknown[] {
  const values = new Values();
  decode(chunks, {}, values);
  return [...values.values, ...values.events];
}

/** A reply of RESP2, at random. */
function generate(random: Random, depth: number): string {
  const text = (): string =>
    String.fromCharCode(...Array.from({ length: random.below(20) }, () => random.below(128)));
  const line = (): string => text().replaceAll(/[\r\n]/g, "");
  switch (random.below(depth > 0 ? 8 : 6)) {
    case 0:
      return `+${line()}\r\n`;
    case 1:
      return `-ERR ${line()}\r\n`;
    case 2:
      // That parser loses the sign of a zero and keeps zeros in front.
      return `:${random.chance(0.5) ? "-" : ""}${random.between(1, 2 ** 32)}${
        random.chance(0.5) ? random.below(1e9) : ""
      }\r\n`;
    case 3:
      return "$-1\r\n";
    case 4:
      return "*-1\r\n";
    case 5: {
      const content = text().repeat(random.below(50) === 0 ? 500 : 1);
      return `$${content.length}\r\n${content}\r\n`;
    }
    default: {
      const parts = Array.from({ length: random.below(6) }, () => generate(random, depth - 1));
      return `*${parts.length}\r\n${parts.join("")}`;
    }
  }
}

Deno.test("what a server sent in RESP2 is what another parser makes of it", async () => {
  const wire = await Deno.readFile(new URL("captures/resp2.bin", import.meta.url));
  const random = new Random(3);
  const expected = theirs([wire]);
  assertEquals(expected.length > 100, true);
  assertEquals(ours([wire]), expected);
  for (let i = 0; i < 20; i++) {
    const places = randomPlaces(random, wire.length, 200);
    assertEquals(ours(cut(wire, ...places)), expected);
  }
});

// That parser starts a timer of its own, which makes its pool of buffers smaller again.
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test("any RESP2 is what another parser makes of it", options, () => {
  const random = new Random(4);
  for (let i = 0; i < 3000; i++) {
    const wire = bytes(
      Array.from({ length: random.between(1, 5) }, () => generate(random, 4)).join(""),
    );
    const chunks = cut(wire, ...randomPlaces(random, wire.length, random.below(8)));
    assertEquals(ours(chunks), theirs(chunks), new TextDecoder().decode(wire));
  }
});
