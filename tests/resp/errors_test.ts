import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Decoder,
  type DecoderOptions,
  type Reply,
  RespLimitError,
  RespSyntaxError,
  ServerError,
} from "../../resp/mod.ts";
import { bytes, cut, decode, MessageRecorder, Recorder, single } from "./harness.ts";

/** Decodes in every way and gives the one answer that all of them must give. */
function decodeInAllWays(wire: Uint8Array, options?: DecoderOptions): string[] {
  const events = decode([wire], options, new MessageRecorder());
  assertEquals(decode(single(wire), options, new MessageRecorder()), events, "byte by byte");
  for (let place = 0; place <= wire.length; place++) {
    assertEquals(decode(cut(wire, place), options, new MessageRecorder()), events, `at ${place}`);
  }
  return events;
}

const SYNTAX: [wire: string, offset: number, found: string, expected: string][] = [
  // Numbers.
  [":1a\r\n", 2, '"a"', "a digit"],
  [":a\r\n", 1, '"a"', "a digit"],
  [":\r\n", 1, '"\\r"', "a digit"],
  [":-\r\n", 2, '"\\r"', "a digit"],
  [":--1\r\n", 2, '"-"', "a digit"],
  [": 1\r\n", 1, '" "', "a digit"],
  [":1 \r\n", 2, '" "', "a digit"],
  [":1.5\r\n", 2, '"."', "a digit"],
  [":9223372036854775808\r\n", 1, "a larger number", "an integer of 64 bits"],
  [":-9223372036854775809\r\n", 1, "a larger number", "an integer of 64 bits"],
  [`:1${"0".repeat(400)}\r\n`, 1, "a larger number", "an integer of 64 bits"],
  ["(\r\n", 1, '"\\r"', "a digit"],
  ["(1n\r\n", 2, '"n"', "a digit"],
  ["(0x1\r\n", 2, '"x"', "a digit"],
  [",\r\n", 1, '"\\r"', "a digit, inf or nan"],
  [",.5\r\n", 1, '"."', "a digit, inf or nan"],
  [",5.\r\n", 3, '"\\r"', "a digit"],
  [",1e\r\n", 3, '"\\r"', "a digit"],
  [",1e+\r\n", 4, '"\\r"', "a digit"],
  [",1x\r\n", 2, '"x"', "a digit or the end of the double"],
  [",1.2.3\r\n", 4, '"."', "a digit or the end of the double"],
  [",Infinity\r\n", 1, '"I"', "a digit, inf or nan"],
  [",infx\r\n", 1, '"i"', "a digit, inf or nan"],
  [",0x10\r\n", 2, '"x"', "a digit or the end of the double"],
  // Booleans and null.
  ["#x\r\n", 1, '"x"', "t or f"],
  ["#\r\n", 1, '"\\r"', "t or f"],
  ["#true\r\n", 2, '"r"', "CR LF"],
  ["_x\r\n", 1, '"x"', "CR LF"],
  // Lengths.
  ["$01x\r\n", 3, '"x"', "a digit"],
  ["$-2\r\n", 1, '"-"', "a digit"],
  ["$-1x\r\n", 1, '"-"', "a digit"],
  ["$-0\r\n", 1, '"-"', "a digit"],
  ["$+1\r\nx\r\n", 1, '"+"', "a digit"],
  ["$\r\n", 1, '"\\r"', "a digit"],
  ["$x\r\n", 1, '"x"', "a digit"],
  ["$??\r\n", 1, '"?"', "a digit"],
  ["*-2\r\n", 1, '"-"', "a digit"],
  ["*1.0\r\n", 2, '"."', "a digit"],
  ["%-1\r\n", 1, '"-"', "a digit"],
  ["~-1\r\n", 1, '"-"', "a digit"],
  [">-1\r\n", 1, '"-"', "a digit"],
  [">?\r\n", 1, '"?"', "a digit"],
  ["|?\r\n", 1, '"?"', "a digit"],
  ["!-1\r\n", 1, '"-"', "a digit"],
  ["=-1\r\n", 1, '"-"', "a digit"],
  ["!?\r\n", 1, '"?"', "a digit"],
  ["=3\r\ntxt\r\n", 1, "a length of 3", "at least 4, for a format"],
  [">0\r\n", 1, "a push of nothing", "at least its kind"],
  // What ends a line or a bulk.
  ["+a\n", 2, '"\\n"', "CR LF"],
  ["+a\rb\r\n", 3, '"b"', "LF after CR"],
  ["+a\r\r\n", 3, '"\\r"', "LF after CR"],
  ["\n", 0, '"\\n"', "the type of a reply"],
  ["\r\n", 0, '"\\r"', "the type of a reply"],
  ["+a\r\n\n", 4, '"\\n"', "the type of a reply"],
  [":1\n", 2, '"\\n"', "CR LF"],
  ["$1\nx\r\n", 2, '"\\n"', "CR LF"],
  ["$1\rx\r\n", 3, '"x"', "LF after CR"],
  ["$1\r\nxy\r\n", 5, '"y"', "CR LF after a bulk"],
  ["$1\r\nx\ry\n", 6, '"y"', "LF after CR"],
  ["$0\r\nx\r\n", 4, '"x"', "CR LF after a bulk"],
  ["$1\r\nx\n", 5, '"\\n"', "CR LF after a bulk"],
  ["*1\r\n$1\r\nxy\r\n", 9, '"y"', "CR LF after a bulk"],
  ["=5\r\ntxt-a\r\n", 7, '"-"', "a colon after the format"],
  // What may stand where.
  ["x\r\n", 0, '"x"', "the type of a reply"],
  ["\u0000\r\n", 0, '"\\u0000"', "the type of a reply"],
  ["é\r\n", 0, "byte 0xc3", "the type of a reply"],
  ["PING\r\n", 0, '"P"', "the type of a reply"],
  [";1\r\na\r\n", 0, '";"', "the type of a reply"],
  [".\r\n", 0, '"."', "the type of a reply"],
  ["*1\r\n.\r\n", 4, '"."', "the type of a reply"],
  ["*1\r\n;0\r\n", 4, '";"', "the type of a reply"],
  ["*?\r\n*1\r\n.\r\n", 8, '"."', "the type of a reply"],
  ["*?\r\n.x\r\n", 5, '"x"', "CR LF"],
  ["%?\r\n:1\r\n.\r\n", 8, '"."', "the value of the last key"],
  ["$?\r\n:1\r\n", 4, '":"', "a part of a streamed string"],
  ["$?\r\n$1\r\n", 4, '"$"', "a part of a streamed string"],
  ["$?\r\n.\r\n", 4, '"."', "a part of a streamed string"],
  ["$?\r\n;-1\r\n", 5, '"-"', "a digit"],
  ["$?\r\n;1\r\nab\r\n", 9, '"b"', "CR LF after a bulk"],
  ["$?\r\n>1\r\n:1\r\n", 4, '">"', "a part of a streamed string"],
  ["*1\r\n>1\r\n:1\r\n", 4, '">"', "an element, because a push stands between replies"],
  ["|1\r\n>1\r\n:1\r\n", 4, '">"', "an element, because a push stands between replies"],
  ["|0\r\n*1\r\n>1\r\n", 8, '">"', "an element, because a push stands between replies"],
  ["*1\r\n|0\r\n>1\r\n", 8, '">"', "an element, because a push stands between replies"],
  [">1\r\n|0\r\n>1\r\n", 8, '">"', "an element, because a push stands between replies"],
  ["|0\r\n>1\r\n>1\r\n", 8, '">"', "an element, because a push stands between replies"],
  ["|0\r\n$?\r\n>1\r\n", 8, '">"', "a part of a streamed string"],
  // Messages, so near to a good one that the straight path begins them.
  [">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nxy\r\n", 29, '"y"', "CR LF after a bulk"],
  [">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\rx\n", 30, '"x"', "LF after CR"],
  [">3\r\n$7\r\nmessage\r\n$1a\r\nc\r\n$1\r\nx\r\n", 19, '"a"', "a digit"],
  [">3\r\n$7\r\nmessage\r\n$\r\nc\r\n$1\r\nx\r\n", 18, '"\\r"', "a digit"],
  [">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-2\r\n\r\n", 25, '"-"', "a digit"],
  [
    ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n>1\r\n:1\r\n",
    24,
    '">"',
    "an element, because a push stands between replies",
  ],
  [">3\r\n$7\r\nmessage\r\n$1\rxc\r\n$1\r\nx\r\n", 20, '"x"', "LF after CR"],
  [">4\r\n$8\r\npmessage\r\n$1\r\n*\n\n$1\r\nc\r\n$1\r\nx\r\n", 23, '"\\n"', "CR LF after a bulk"],
];

Deno.test("malformed RESP throws, at the same place however it is cut", () => {
  for (const [wire, offset, found, expected] of SYNTAX) {
    for (const before of ["", "+OK\r\n:1\r\n"]) {
      const events = decodeInAllWays(bytes(before + wire));
      const at = before.length + offset;
      const good = before === "" ? 0 : 2;
      assertEquals(
        events.slice(good + (wire.startsWith("+a\r\n") ? 1 : 0)),
        [
          `RespSyntaxError: Cannot parse the reply at byte ${at}: found ${found}, expected ${expected}`,
        ],
        JSON.stringify(wire),
      );
    }
  }
});

Deno.test("malformed RESP throws as soon as that is certain", () => {
  for (const [wire, offset] of SYNTAX) {
    const lineEnd = wire.indexOf("\n", offset) + 1;
    for (const recorder of [Recorder, MessageRecorder]) {
      let written = 0;
      const decoder = new Decoder(new recorder());
      assertThrows(() => {
        for (const byte of bytes(wire)) {
          written++;
          decoder.write(Uint8Array.of(byte));
        }
      }, RespSyntaxError);
      // At the byte itself, or at the end of the line that it is part of.
      assertEquals(written === offset + 1 || written === lineEnd, true, JSON.stringify(wire));
    }
  }
});

Deno.test("what is good after a bad number is not read", () => {
  const recorder = new Recorder();
  decode([bytes("+a\r\n:x\r\n+b\r\n")], {}, recorder);
  assertEquals(recorder.events.length, 2);
});

Deno.test("a syntax error says where, what and why, and is a SyntaxError", () => {
  const decoder = new Decoder(new Recorder());
  decoder.write(bytes("+OK\r\n"));
  const error = assertThrows(() => decoder.write(bytes("#x\r\n")), RespSyntaxError);
  assertEquals([error.offset, error.found, error.expected], [6, '"x"', "t or f"]);
  assertEquals([error.name, error instanceof SyntaxError], ["RespSyntaxError", true]);
});

Deno.test("a decoder that failed stays failed", () => {
  for (const wire of ["x", "$2\r\n", "+\n"]) {
    const decoder = new Decoder(new Recorder(), { maxBulkLength: 1 });
    let first: unknown;
    try {
      decoder.write(bytes(wire));
    } catch (error) {
      first = error;
    }
    for (let i = 0; i < 3; i++) {
      let again: unknown;
      try {
        decoder.write(bytes("+OK\r\n"));
      } catch (error) {
        again = error;
      }
      assertStrictEquals(again, first);
    }
    assertEquals(first instanceof Error, true);
  }
});

Deno.test("a server error is a value with its code", () => {
  const error = new ServerError("MOVED 3999 127.0.0.1:6381");
  assertEquals([error.name, error.code, error.message], [
    "ServerError",
    "MOVED",
    "MOVED 3999 127.0.0.1:6381",
  ]);
  assertEquals(new ServerError("ERR").code, "ERR");
});

Deno.test("each limit throws when exceeded by one and not before", () => {
  const x = (count: number): string => "x".repeat(count);
  const zeros = (count: number): string => "0".repeat(count);
  const nested = (depth: number): string => "*1\r\n".repeat(depth) + "_\r\n";
  const cases: [options: DecoderOptions, good: string, bad: string, offset: number][] = [
    [{ maxLineLength: 32 }, `+${x(32)}\r\n`, `+${x(33)}\r\n`, 33],
    [{ maxLineLength: 32 }, `:${zeros(31)}1\r\n`, `:${zeros(32)}1\r\n`, 33],
    [{ maxLineLength: 32 }, `$${zeros(31)}1\r\nx\r\n`, `$${zeros(32)}1\r\nx\r\n`, 33],
    [{ maxLineLength: 32 }, `+\r\n+${x(32)}\r\n`, `+\r\n+${x(40)}`, 36],
    [{ maxBulkLength: 4 }, "$4\r\nabcd\r\n", "$5\r\nabcde\r\n", 0],
    [{ maxBulkLength: 4 }, "!4\r\nabcd\r\n", "!5\r\nabcde\r\n", 0],
    [{ maxBulkLength: 4 }, "=4\r\ntxt:\r\n", "=5\r\ntxt:a\r\n", 0],
    [
      { maxBulkLength: 4 },
      "$?\r\n;3\r\nabc\r\n;1\r\nd\r\n;0\r\n",
      "$?\r\n;3\r\nabc\r\n;2\r\nde\r\n",
      13,
    ],
    [{ maxBulkLength: 2 ** 28 }, "$4\r\nabcd\r\n", `$${2 ** 41}\r\n`, 0],
    [{}, "$4\r\nabcd\r\n", `$1${"0".repeat(400)}\r\n`, 0],
    [{ maxElements: 2 }, "*2\r\n_\r\n_\r\n", "*3\r\n_\r\n_\r\n_\r\n", 0],
    [{ maxElements: 2 }, "~2\r\n_\r\n_\r\n", "~3\r\n", 0],
    [{ maxElements: 2 }, "%1\r\n_\r\n_\r\n", "%2\r\n", 0],
    [{ maxElements: 2 }, "|1\r\n_\r\n_\r\n_\r\n", "|2\r\n", 0],
    [{ maxElements: 2 }, ">2\r\n_\r\n_\r\n", ">3\r\n", 0],
    [{ maxElements: 2 }, "*?\r\n_\r\n_\r\n.\r\n", "*?\r\n_\r\n_\r\n_\r\n.\r\n", 10],
    [{}, "*0\r\n", `*1${"0".repeat(400)}\r\n`, 0],
    [{ maxDepth: 1 }, "*1\r\n_\r\n", "*1\r\n*0\r\n", 4],
    [{ maxDepth: 3 }, nested(3), nested(4), 12],
    [{ maxDepth: 1 }, "|0\r\n*0\r\n", "|1\r\n*0\r\n", 4],
    [{ maxDepth: 1 }, "*?\r\n.\r\n", "*?\r\n*?\r\n", 4],
    [{}, nested(128), nested(129), 512],
    [{ maxHeldBytes: 292 }, `$100\r\n${x(100)}\r\n`, "$101\r\n", 0],
    [{ maxHeldBytes: 148, strings: "text" }, `$100\r\n${x(100)}\r\n`, "$101\r\n", 0],
    [{ maxHeldBytes: 292 }, `=100\r\ntxt:${x(96)}\r\n`, "=101\r\n", 0],
    [{ maxHeldBytes: 148, strings: "text" }, `=100\r\ntxt:${x(96)}\r\n`, "=101\r\n", 0],
    [{ maxHeldBytes: 148 }, `+${x(100)}\r\n`, `+${x(101)}\r\n`, 0],
    [{ maxHeldBytes: 338 }, "*3\r\n_\r\n:1\r\n#t\r\n", "*2\r\n_\r\n$1\r\n", 7],
    [{ maxHeldBytes: 383 }, "_\r\n".repeat(100), "*4\r\n_\r\n_\r\n_\r\n_\r\n", 13],
    [{ maxHeldBytes: 385 }, "*1\r\n$1\r\nx\r\n", "*1\r\n$2\r\nxy\r\n", 4],
    [
      { maxHeldBytes: 335 },
      `|0\r\n${">1\r\n_\r\n".repeat(20)}_\r\n`,
      `|0\r\n${">1\r\n_\r\n".repeat(20)}>3\r\n_\r\n_\r\n_\r\n`,
      154,
    ],
    [{ maxHeldBytes: 2239 }, "*1\r\n-\r\n", "*2\r\n-\r\n!0\r\n\r\n", 7],
  ];
  for (const [options, good, bad, offset] of cases) {
    const [limit, value] = Object.entries(options)[0] ??
      (bad.startsWith("$")
        ? ["maxBulkLength", 2 ** 25]
        : bad.startsWith("*10")
        ? ["maxElements", 2 ** 20]
        : ["maxDepth", 128]);
    for (const event of decodeInAllWays(bytes(good), options)) {
      assertEquals(event.startsWith("reply") || event.startsWith("push"), true, event);
    }
    const events = decodeInAllWays(bytes(bad), options);
    assertEquals(
      events.at(-1),
      `RespLimitError: Cannot parse the reply at byte ${offset}: it exceeds ${limit}, which is ` +
        `${value}; raise that option if the server is to be trusted with more`,
      JSON.stringify([options, bad]),
    );
  }
});

Deno.test("messages keep to the limits on the straight path too", () => {
  const wire = bytes(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$10\r\n0123456789\r\n$03\r\nabc\r\n");
  const options: [options: DecoderOptions, limit: string | undefined][] = [
    [{}, undefined],
    [{ maxBulkLength: 10, maxElements: 4, maxDepth: 1, maxLineLength: 32 }, undefined],
    [{ maxHeldBytes: 5 * 192 + 22 }, undefined],
    [{ maxHeldBytes: 5 * 192 + 21 }, "maxHeldBytes"],
    [{ maxBulkLength: 9 }, "maxBulkLength"],
    [{ maxElements: 3 }, "maxElements"],
  ];
  const short = bytes(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\np\r\n");
  assertEquals(decodeInAllWays(short, { maxBulkLength: 8 }), ['message "*" "c" "p"']);
  assertEquals(decodeInAllWays(short, { maxBulkLength: 7 }).length, 1);
  assertEquals(decodeInAllWays(short, { maxBulkLength: 7 })[0]!.includes("maxBulkLength"), true);
  // Without waiting for the rest of what looks like a message.
  assertEquals(decodeInAllWays(short.subarray(0, 8), { maxBulkLength: 7 }).length, 1);

  for (const [option, limit] of options) {
    const events = decodeInAllWays(wire, option);
    if (limit === undefined) assertEquals(events, ['message "*" "0123456789" "abc"']);
    else assertEquals(events.at(-1)!.includes(` ${limit},`), true, JSON.stringify(option));
  }
});

Deno.test("a part of a message that is announced too long throws once its head has come", () => {
  const head = ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$78\r\n";
  for (let place = 0; place < head.length; place++) {
    const events = decode(cut(bytes(head), place), { maxBulkLength: 41 }, new MessageRecorder());
    assertEquals(events.map((event) => event.includes("maxBulkLength")), [true], `cut at ${place}`);
  }
});

Deno.test("the longest numbers and texts that every runtime can hold are within the limits", () => {
  const maxBulkLength = 2 ** 29 - 24;
  const options = { maxBulkLength, maxHeldBytes: 2 ** 45, maxLineLength: 2 ** 18 };
  for (const head of ["$", "!", "=", "$?\r\n;"]) {
    for (const strings of ["bytes", "text"] as const) {
      const decoder = new Decoder(new Recorder(), { ...options, strings });
      decoder.write(bytes(`${head}${maxBulkLength}\r\n`));
      const refusing = new Decoder(new Recorder(), { ...options, strings });
      const error = assertThrows(
        () => refusing.write(bytes(`${head}${maxBulkLength + 1}\r\n`)),
        RespLimitError,
      );
      assertEquals([error.limit, error.value], ["maxBulkLength", maxBulkLength]);
    }
  }
  const recorder = new Recorder();
  decode([bytes(`(${"9".repeat(2 ** 18)}\r\n`)], options, recorder);
  assertEquals(recorder.events.map((event) => event.length), ["reply n".length + 2 ** 18]);
});

Deno.test("a limit error says which, and is a RangeError", () => {
  const decoder = new Decoder(new Recorder(), { maxElements: 7 });
  decoder.write(bytes("+OK\r\n"));
  const error = assertThrows(() => decoder.write(bytes("*8\r\n")), RespLimitError);
  assertEquals([error.offset, error.limit, error.value], [5, "maxElements", 7]);
  assertEquals([error.name, error instanceof RangeError], ["RespLimitError", true]);
});

Deno.test("an invalid limit is refused", () => {
  assertThrows(() => new Decoder(new Recorder(), { maxLineLength: 31 }), RangeError, "at least 32");
  assertThrows(
    () => new Decoder(new Recorder(), { maxLineLength: 2 ** 18 + 1 }),
    RangeError,
    "at most 262144",
  );
  assertThrows(
    () => new Decoder(new Recorder(), { maxBulkLength: 2 ** 29 }),
    RangeError,
    "at most 536870888",
  );
  for (const value of [0, -1, 1.5, NaN, Infinity, "7"]) {
    for (
      const name of ["maxLineLength", "maxBulkLength", "maxElements", "maxDepth", "maxHeldBytes"]
    ) {
      assertThrows(() => new Decoder(new Recorder(), { [name]: value }), RangeError, name);
    }
  }
});

Deno.test("errors are decoded without capturing a stack trace for each", () => {
  const stacks: (string | undefined)[] = [];
  const note = (reply: Reply) => stacks.push((reply as ServerError).stack);
  const decoder = new Decoder({ reply: note, push: (items) => items.forEach(note) });
  const limit = Error.stackTraceLimit;
  decoder.write(
    new TextEncoder().encode("-ERR a\r\n!5\r\nERR b\r\n>2\r\n-ERR c\r\n!5\r\nERR d\r\n"),
  );
  assertEquals(stacks.length, 4);
  assertEquals(stacks.filter((stack) => stack?.includes("\n    at ")), []);
  assertEquals(Error.stackTraceLimit, limit);
});
