import { assertEquals } from "@std/assert";
import * as fc from "npm:fast-check@4.10.2";
import { type CommandArgument, encodeCommand, type Reply } from "../../resp/mod.ts";
import { type Item, join, stream } from "./arbitrary.ts";
import { bytes, cut, decode, MessageRecorder, Recorder, show, single } from "./harness.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the harness prints for an item; a message apart when the sink takes messages. */
function event(item: Item, strings: "bytes" | "text", messages: boolean): string {
  const texts = item.kind === "push" && messages ? asMessage(item.asBytes as Reply[]) : null;
  if (texts !== null) return `message ${texts.map((text) => JSON.stringify(text)).join(" ")}`;
  return `${item.kind} ${show(strings === "text" ? item.asText : item.asBytes)}`;
}

/** What a message holds beside its kind; null if the items are not a message. */
function asMessage(items: Reply[]): string[] | null {
  const kind = items.length === 3 ? "message" : items.length === 4 ? "pmessage" : null;
  const texts = items.flatMap((item) => {
    if (item instanceof Uint8Array) return utf8.decode(item);
    // Where a simple string was not UTF-8, its bytes are lost.
    return typeof item === "string" && !item.includes("\ufffd") ? item : [];
  });
  return texts[0] === kind && texts.length === items.length ? texts.slice(1) : null;
}

/** Checks that any stream, cut anywhere, is read as what was written. */
export function assertAnyStream(numRuns: number, seed: number): void {
  fc.assert(
    fc.property(
      stream,
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.constantFrom("bytes" as const, "text" as const),
      fc.boolean(),
      (items, numbers, strings, messages) => {
        const wire = join(...items.map((item) => item.wire));
        const places = numbers.map((n) => n % (wire.length + 1)).sort((a, b) => a - b);
        const expected = items.map((item) => event(item, strings, messages));
        const recorder = (): Recorder => messages ? new MessageRecorder() : new Recorder();
        assertEquals(decode(cut(wire, ...places), { strings }, recorder()), expected);
        assertEquals(decode(single(wire), { strings }, recorder()), expected);
      },
    ),
    { numRuns, seed },
  );
}

/** Checks that any command is read back as the array of its arguments. */
export function assertAnyCommand(numRuns: number, seed: number): void {
  const argument: fc.Arbitrary<CommandArgument> = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "binary", minLength: 60, maxLength: 300 }),
    fc.string({ unit: "grapheme" }),
    fc.string().map((text) => `${text}\ud800`),
    fc.uint8Array({ maxLength: 2000 }),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.bigInt(),
  );
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 20 }), (args) => {
      const expected = args.map((arg) => arg instanceof Uint8Array ? arg : bytes(String(arg)));
      assertEquals(decode([encodeCommand(args)]), [`reply ${show(expected)}`]);
    }),
    { numRuns, seed },
  );
}
