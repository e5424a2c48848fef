import { assertEquals } from "@std/assert";
import * as fc from "npm:fast-check@4.10.2";
import { type CommandArgument, encodeCommand, type Reply } from "../../resp/mod.ts";
import { type Item, join, stream } from "./arbitrary.ts";
import { bytes, cut, decode, MessageRecorder, Recorder, show, single } from "./harness.ts";

const RUNS = 1500;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the harness prints for an item; a message apart when the sink takes messages. */
function event(item: Item, strings: "bytes" | "text", messages: boolean): string {
  const items = item.asBytes as Reply[];
  if (item.kind === "push" && messages && isMessage(items)) {
    const texts = items.slice(1).map((part) => JSON.stringify(utf8.decode(part as Uint8Array)));
    return `message ${texts.join(" ")}`;
  }
  return `${item.kind} ${show(strings === "text" ? item.asText : item.asBytes)}`;
}

function isMessage(items: Reply[]): boolean {
  const kind = items.length === 3 ? "message" : items.length === 4 ? "pmessage" : "";
  return items.every((item) => item instanceof Uint8Array) &&
    utf8.decode(items[0] as Uint8Array) === kind;
}

Deno.test("any stream, cut anywhere, comes back as what was written", () => {
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
    { numRuns: RUNS, seed: 1 },
  );
});

Deno.test("any command is read back as the array of its arguments", () => {
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
    { numRuns: RUNS, seed: 2 },
  );
});
