import * as fc from "npm:fast-check@4.10.2";
import { type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { bytes } from "./harness.ts";

/** A reply in one of the forms in which it may be on the wire, and what it is in both modes. */
export interface Written {
  readonly wire: Uint8Array;
  readonly asBytes: Reply;
  readonly asText: Reply;
}

/** Something at the top of the stream. */
export interface Item extends Written {
  readonly kind: "reply" | "push";
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Joins texts and bytes. */
export function join(...parts: (string | Uint8Array)[]): Uint8Array {
  const all = parts.map((part) => typeof part === "string" ? bytes(part) : part);
  const whole = new Uint8Array(all.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of all) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function same(wire: string | Uint8Array, reply: Reply): Written {
  return { wire: join(wire), asBytes: reply, asText: reply };
}

function bulkLike(type: string, content: Uint8Array): Uint8Array {
  return join(`${type}${content.length}\r\n`, content, "\r\n");
}

/** A bulk string as one that is streamed, in parts of these lengths. */
function streamed(content: Uint8Array, lengths: readonly number[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of [...lengths, content.length]) {
    const part = content.subarray(at, at + length);
    if (part.length > 0) parts.push(bulkLike(";", part));
    at += length;
  }
  return join("$?\r\n", ...parts, ";0\r\n");
}

/** Any bytes, and such as look like the protocol itself. */
const content: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.string({ unit: "binary", maxLength: 60 }).map(bytes),
  fc.constantFrom("\r\n", "$3\r\nfoo\r\n", "\r", ">", "+OK\r\n", ">4\r\n$8\r\npmessage\r\n").map(
    bytes,
  ),
  fc.uint8Array({ minLength: 200, maxLength: 6000 }),
);

const line: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 60 })
  .map((text) => text.replaceAll(/[\r\n]/g, ""));

/** As many digits, a sign or not, zeros before or not. */
function spelled(value: bigint, plus: boolean, zeros: number): string {
  const sign = value < 0n ? "-" : plus ? "+" : "";
  return `${sign}${"0".repeat(zeros)}${value < 0n ? -value : value}`;
}

const spelling = fc.record({ plus: fc.boolean(), zeros: fc.nat(3) });

const integer: fc.Arbitrary<Written> = fc
  .tuple(
    fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -1000n, max: 1000n }),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
      fc.bigInt({ min: -(2n ** 53n) - 3n, max: -(2n ** 53n) + 3n }),
    ),
    spelling,
  )
  .map(([value, { plus, zeros }]) =>
    same(
      `:${spelled(value, plus, zeros)}\r\n`,
      Number.isSafeInteger(Number(value)) ? Number(value) : value,
    )
  );

const bigNumber: fc.Arbitrary<Written> = fc
  .tuple(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), spelling)
  .map(([value, { plus, zeros }]) => same(`(${spelled(value, plus, zeros)}\r\n`, value));

const double: fc.Arbitrary<Written> = fc.oneof(
  fc.double().map((value) => {
    const text = Object.is(value, -0) ? "-0" : String(value);
    return same(`,${text.replace("Infinity", "inf").replace("NaN", "nan")}\r\n`, value);
  }),
  fc.double({ noDefaultInfinity: true, noNaN: true })
    .map((value) => same(`,${value.toExponential()}\r\n`, Number(value.toExponential()))),
);

const bulk: fc.Arbitrary<Written> = fc
  .tuple(content, fc.option(fc.array(fc.nat(40), { maxLength: 5 })))
  .map(([content, lengths]) => ({
    wire: lengths === null ? bulkLike("$", content) : streamed(content, lengths),
    asBytes: content,
    asText: utf8.decode(content),
  }));

const verbatim: fc.Arbitrary<Written> = fc
  .tuple(fc.stringMatching(/^[a-z]{3}$/), content)
  .map(([format, content]) => ({
    wire: bulkLike("=", join(`${format}:`, content)),
    asBytes: content,
    asText: utf8.decode(content),
  }));

const scalar: fc.Arbitrary<Written> = fc.oneof(
  integer,
  bigNumber,
  double,
  bulk,
  verbatim,
  line.map((text) => same(`+${text}\r\n`, text)),
  line.map((text) => same(`-${text}\r\n`, new ServerError(text))),
  content.map((text) => same(bulkLike("!", text), new ServerError(utf8.decode(text)))),
  fc.constantFrom("_\r\n", "$-1\r\n", "*-1\r\n").map((wire) => same(wire, null)),
  fc.boolean().map((value) => same(value ? "#t\r\n" : "#f\r\n", value)),
);

function aggregate(
  type: string,
  parts: readonly Written[],
  isStreamed: boolean,
  make: (items: Reply[]) => Reply,
): Written {
  const count = type === "%" || type === "|" ? parts.length / 2 : parts.length;
  const head = isStreamed ? `${type}?\r\n` : `${type}${count}\r\n`;
  return {
    wire: join(head, ...parts.map((part) => part.wire), isStreamed ? ".\r\n" : ""),
    asBytes: make(parts.map((part) => part.asBytes)),
    asText: make(parts.map((part) => part.asText)),
  };
}

/** Any reply, as deep as a few levels. */
export const reply: fc.Arbitrary<Written> = fc.letrec<{ reply: Written }>((tie) => {
  const parts = fc.array(tie("reply"), { maxLength: 6, depthIdentifier: "reply" });
  const pairs = fc.array(fc.tuple(tie("reply"), tie("reply")), {
    maxLength: 3,
    depthIdentifier: "reply",
  }).map((entries) => entries.flat());
  return {
    reply: fc.oneof(
      { depthSize: "small", withCrossShrink: true, depthIdentifier: "reply" },
      scalar,
      fc.tuple(parts, fc.boolean()).map(([parts, stream]) =>
        aggregate("*", parts, stream, (items) => items)
      ),
      fc.tuple(parts, fc.boolean()).map(([parts, stream]) =>
        aggregate("~", parts, stream, (items) => items)
      ),
      fc.tuple(pairs, fc.boolean()).map(([parts, stream]) =>
        aggregate("%", parts, stream, (items) => new RespMap(items))
      ),
      fc.tuple(pairs, tie("reply")).map(([parts, inner]) => {
        const attributes = aggregate("|", parts, false, (items) => items);
        return { ...inner, wire: join(attributes.wire, inner.wire) };
      }),
    ),
  };
}).reply;

function bulkOf(content: Uint8Array): Written {
  return { wire: bulkLike("$", content), asBytes: content, asText: utf8.decode(content) };
}

const message: fc.Arbitrary<Written> = fc
  .tuple(
    fc.boolean(),
    fc.array(content, { minLength: 3, maxLength: 3 }),
  )
  .map(([isPattern, parts]) => {
    const kind = bytes(isPattern ? "pmessage" : "message");
    const items = [kind, ...(isPattern ? parts : parts.slice(1))].map(bulkOf);
    return aggregate(">", items, false, (all) => all);
  });

const push: fc.Arbitrary<Written> = fc
  .tuple(
    fc.constantFrom("invalidate", "subscribe", "message", "smessage"),
    fc.array(reply, { maxLength: 3 }),
  )
  .map(([kind, parts]) => aggregate(">", [bulkOf(bytes(kind)), ...parts], false, (all) => all));

const anyPush: fc.Arbitrary<Item> = fc.oneof(message, push).map((written) => ({
  ...written,
  kind: "push",
}));

/** Attributes, pushes that come before their reply, and that reply. */
const interrupted: fc.Arbitrary<Item[]> = fc
  .tuple(
    fc.array(fc.tuple(reply, reply), { maxLength: 2 }),
    fc.array(anyPush, { maxLength: 3 }),
    reply,
  )
  .map(([entries, pushes, inner]) => {
    const attributes = aggregate("|", entries.flat(), false, (items) => items);
    const [first, ...others] = [...pushes, { ...inner, kind: "reply" as const }];
    return [{ ...first!, wire: join(attributes.wire, first!.wire) }, ...others];
  });

/** A stream: replies, messages and other pushes in any order. */
export const stream: fc.Arbitrary<Item[]> = fc.array(
  fc.oneof(
    reply.map((written): Item[] => [{ ...written, kind: "reply" }]),
    anyPush.map((item) => [item]),
    interrupted,
  ),
  { maxLength: 8 },
).map((items) => items.flat());
