import { assertEquals, assertThrows } from "@std/assert";
import { type CommandArgument, encodeCommand, encodePipeline } from "../../resp/mod.ts";
import { falseBytes } from "../false_bytes.ts";
import { bytes, decode, show } from "./harness.ts";

const text = (wire: Uint8Array): string => new TextDecoder().decode(wire);

Deno.test("a command is an array of bulk strings", () => {
  assertEquals(
    text(encodeCommand(["SET", "key", 7, -1.5, 10n ** 20n, bytes("raw")])),
    "*6\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n7\r\n$4\r\n-1.5\r\n$21\r\n100000000000000000000\r\n" +
      "$3\r\nraw\r\n",
  );
  assertEquals(text(encodeCommand([""])), "*1\r\n$0\r\n\r\n");
});

Deno.test("lengths count bytes, whatever the text", () => {
  const texts = [
    "",
    "ascii",
    "größe",
    "字段",
    "😀",
    "\ud800",
    "a\udc00b",
    "\ud83d",
    "x".repeat(10),
    // The least and the greatest of each number of bytes.
    ..."\x7f\x80\u07ff\u0800\uffff\u{10000}\u{10ffff}",
  ];
  for (const each of [...texts, ...texts.map((one) => one.repeat(40))]) {
    const wire = encodeCommand([each]);
    const body = new TextEncoder().encode(each);
    assertEquals(decode([wire]), [`reply ${show([body])}`], JSON.stringify(each));
  }
});

Deno.test("heads are right around each power of ten", () => {
  for (const length of [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 99999, 100000]) {
    const wire = encodeCommand([new Uint8Array(length)]);
    assertEquals(text(wire.subarray(0, 4)), "*1\r\n");
    assertEquals(text(wire.subarray(4, wire.length - length - 2)), `$${length}\r\n`);
    assertEquals(wire.buffer.byteLength, wire.length);
  }
  const many = encodeCommand(new Array(1000).fill("x"));
  assertEquals(text(many.subarray(0, 10)), "*1000\r\n$1\r");
});

Deno.test("numbers are written as JavaScript writes them, whatever their size", () => {
  const numbers = [0, 9, 10, 99, 100, 12345, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e20, 1e21, 1.5e300];
  numbers.push(0.5, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308);
  for (const number of numbers.flatMap((n) => [n, -n])) {
    assertEquals(decode([encodeCommand([number])]), [`reply ${show([bytes(String(number))])}`]);
  }
  assertEquals(text(encodeCommand([1e21, 1e-7])), "*2\r\n$5\r\n1e+21\r\n$4\r\n1e-7\r\n");
  assertEquals(text(encodeCommand([-0])), "*1\r\n$1\r\n0\r\n");
  assertEquals(text(encodeCommand([-(10n ** 21n)])), "*1\r\n$23\r\n-1000000000000000000000\r\n");
});

Deno.test("a command may have any number of arguments, alone and among others", () => {
  const commands = [1, 200, 3, 300, 2].map((count, place) =>
    Array.from({ length: count }, (_, i) => i % 3 === 0 ? i : `${"größe".repeat(i % 40)} ${place}`)
  );
  const expected = commands.map((args) => `reply ${show(args.map((arg) => bytes(String(arg))))}`);
  assertEquals(decode(commands.map(encodeCommand)), expected);
  assertEquals(decode([encodePipeline(commands)]), expected);
});

Deno.test("a pipeline is its commands, one after the other, in one buffer", () => {
  const commands: CommandArgument[][] = [["MULTI"], ["SET", "größe", 1], ["EXEC"]];
  const wire = encodePipeline(commands);
  assertEquals(text(wire), commands.map((command) => text(encodeCommand(command))).join(""));
  assertEquals(wire.buffer.byteLength, wire.length);
  assertEquals(encodePipeline([]).length, 0);
});

Deno.test("what cannot be encoded is a TypeError that names its place", () => {
  const bad: [value: unknown, said: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [NaN, "NaN"],
    [Infinity, "Infinity"],
    [-Infinity, "-Infinity"],
    [{}, "object"],
    [[1], "object"],
    [true, "boolean"],
    [() => 1, "function"],
    [Symbol("x"), "symbol"],
    [new Uint16Array(1), "object"],
  ];
  for (const [value, said] of bad) {
    const error = assertThrows(
      () => encodeCommand(["SET", "key", value as CommandArgument]),
      TypeError,
      "argument 2",
    );
    assertEquals((error as Error).message.includes(said), true, String(error));
    assertThrows(
      () => encodePipeline([["PING"], [value as CommandArgument]]),
      TypeError,
      "argument 0 of command 1",
    );
  }
  assertThrows(() => encodeCommand(["GET", , "x"] as CommandArgument[]), TypeError, "argument 1");
  assertThrows(() => encodeCommand([]), TypeError, "at least its name");
  assertThrows(() => encodePipeline([["PING"], []]), TypeError, "command 1");
  assertThrows(() => encodeCommand("PING" as unknown as string[]), TypeError, "at least its name");
});

Deno.test("bytes that are not what they say are a TypeError that names their place", () => {
  for (const [what, value] of Object.entries(falseBytes())) {
    assertThrows(
      () => encodeCommand(["SET", "key", value]),
      TypeError,
      "Cannot encode argument 2: ",
      what,
    );
    assertThrows(
      () => encodePipeline([["PING"], ["GET", value]]),
      TypeError,
      "Cannot encode argument 1 of command 1: ",
      what,
    );
  }
});

Deno.test("bytes are written whole, whatever class, realm or memory they are of", () => {
  const resizable = new ArrayBuffer(4, { maxByteLength: 8 });
  const values: Record<string, Uint8Array> = {
    none: new Uint8Array(),
    "none of a bigger buffer": new Uint8Array(new ArrayBuffer(4), 4),
    subclass: new (class extends Uint8Array {})([1, 2, 3]),
    "of shared memory": new Uint8Array(new SharedArrayBuffer(3)),
    "of a buffer that may grow": new Uint8Array(resizable, 1),
    "of a buffer that may shrink": new Uint8Array(resizable, 1, 3),
    "of another prototype": Object.setPrototypeOf(
      new Uint8Array(3),
      Object.create(
        Object.getPrototypeOf(Uint8Array.prototype),
      ),
    ),
  };
  for (const [what, value] of Object.entries(values)) {
    const body = value.length === 0 ? [] : Array.from({ length: 3 }, (_, i) => value[i]!);
    assertEquals(
      decode([encodeCommand([value])]),
      [`reply ${show([Uint8Array.from(body)])}`],
      what,
    );
  }
});

Deno.test("arguments that change while they are read make a frame of what was read first", () => {
  /** An array whose argument is another one each time it is read. */
  const changing = (...values: CommandArgument[]): CommandArgument[] => {
    let reads = 0;
    return Object.defineProperty(["ECHO", ""], 1, {
      get: () => values[Math.min(reads++, values.length - 1)],
    });
  };
  const grown = new Uint8Array(new ArrayBuffer(2, { maxByteLength: 64 }));
  const growing = new Proxy<CommandArgument[]>(["ECHO", grown, "end"], {
    get(args, name, self) {
      if (name === "2") (grown.buffer as ArrayBuffer).resize(64);
      return Reflect.get(args, name, self);
    },
  });
  let asked = 0;
  const longer = new Proxy<CommandArgument[]>(["ECHO", "a"], {
    get: (args, name, self) => name === "length" && ++asked > 5 ? 9 : Reflect.get(args, name, self),
  });
  const cases: [args: CommandArgument[], read: Uint8Array[]][] = [
    [changing(new Uint8Array(2), new Uint8Array(3)), [new Uint8Array(2)]],
    [changing(new Uint8Array(2), new Uint8Array(1)), [new Uint8Array(2)]],
    [changing("ab", new Uint8Array(9)), [bytes("ab")]],
    [growing, [new Uint8Array(64), bytes("end")]],
    [longer, [bytes("a")]],
  ];
  for (const [args, read] of cases) {
    assertEquals(decode([encodeCommand(args)]), [`reply ${show([bytes("ECHO"), ...read])}`]);
  }
});
