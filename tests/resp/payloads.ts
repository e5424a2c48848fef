import { type DecoderOptions, type Reply, RespMap, ServerError } from "../../resp/mod.ts";
import { bytes, show } from "./harness.ts";

/** Something on the wire and what comes of it. */
export interface Payload {
  readonly name: string;
  readonly wire: Uint8Array;
  readonly options?: DecoderOptions;
  /** As the recorders of the harness print them. */
  readonly events: readonly string[];
}

const text: DecoderOptions = { strings: "text" };
const b = bytes;

function replies(name: string, wire: string, ...values: Reply[]): Payload {
  return { name, wire: b(wire), events: values.map((value) => `reply ${show(value)}`) };
}

function inText(name: string, wire: string, ...values: Reply[]): Payload {
  return { ...replies(name, wire, ...values), name: `${name} as text`, options: text };
}

/** Every type of both protocols. */
export const REPLIES: readonly Payload[] = [
  replies("simple string", "+OK\r\n", "OK"),
  replies("simple string, empty", "+\r\n", ""),
  replies("simple string in UTF-8", "+größe 字 😀\r\n", "größe 字 😀"),
  replies(
    "simple error",
    "-WRONGTYPE Operation against a key\r\n",
    new ServerError("WRONGTYPE Operation against a key"),
  ),
  replies("simple error of one word", "-ERR\r\n", new ServerError("ERR")),
  replies("simple error, empty", "-\r\n", new ServerError("")),
  replies("integer", ":1000\r\n", 1000),
  replies("integer with plus", ":+7\r\n", 7),
  replies("integer below zero", ":-7\r\n", -7),
  replies("integer zero", ":0\r\n", 0),
  replies("integer minus zero", ":-0\r\n", 0),
  replies("integer with zeros before it", ":0012\r\n", 12),
  replies("largest safe integer", ":9007199254740991\r\n", 9007199254740991),
  replies("smallest safe integer", ":-9007199254740991\r\n", -9007199254740991),
  replies("integer beyond 2^53", ":9007199254740993\r\n", 9007199254740993n),
  replies("integer 2^53", ":9007199254740992\r\n", 9007199254740992n),
  replies("integer below -2^53", ":-9007199254740993\r\n", -9007199254740993n),
  replies("largest integer", ":9223372036854775807\r\n", 9223372036854775807n),
  replies("smallest integer", ":-9223372036854775808\r\n", -9223372036854775808n),
  replies("bulk string", "$5\r\nhello\r\n", b("hello")),
  replies("bulk string, empty", "$0\r\n\r\n", b("")),
  replies("bulk string holding CR LF", "$6\r\na\r\nb\r\n\r\n", b("a\r\nb\r\n")),
  replies("bulk string of a length with a zero before it", "$01\r\nx\r\n", b("x")),
  { name: "bulk string that is not UTF-8", ...invalidUtf8(), events: ["reply bytes(ff00fe)"] },
  inText("bulk string", "$5\r\nhello\r\n", "hello"),
  inText("bulk string, empty", "$0\r\n\r\n", ""),
  inText("bulk string in UTF-8", "$6\r\n字段\r\n", "字段"),
  inText("bulk string with a byte order mark", "$4\r\n\ufeffx\r\n", "\ufeffx"),
  {
    name: "bulk string that is not UTF-8 as text",
    ...invalidUtf8(),
    options: text,
    events: [`reply ${show("\ufffd\0\ufffd")}`],
  },
  inText(
    "bulk string longer than short",
    `$300\r\n${"0123456789".repeat(30)}\r\n`,
    "0123456789".repeat(30),
  ),
  replies("array", "*2\r\n$3\r\nfoo\r\n:1\r\n", [b("foo"), 1]),
  replies("array, empty", "*0\r\n", []),
  inText("array", "*2\r\n$3\r\nfoo\r\n:1\r\n", ["foo", 1]),
  replies("nested arrays", "*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n*1\r\n:2\r\n", [[1, []], [[2]]]),
  replies("null of RESP3", "_\r\n", null),
  replies("null bulk string", "$-1\r\n", null),
  replies("null array", "*-1\r\n", null),
  replies("nulls in an array", "*3\r\n$-1\r\n*-1\r\n_\r\n", [null, null, null]),
  replies("true", "#t\r\n", true),
  replies("false", "#f\r\n", false),
  replies("double", ",3.25\r\n", 3.25),
  replies("double without a fraction", ",10\r\n", 10),
  replies("double below zero", ",-0.5\r\n", -0.5),
  replies("double with plus", ",+0.5\r\n", 0.5),
  replies("double minus zero", ",-0\r\n", -0),
  replies("double with an exponent", ",1.5e3\r\n", 1500),
  replies("double with a negative exponent", ",-2E-3\r\n", -0.002),
  replies("double with a positive exponent", ",1e+22\r\n", 1e22),
  replies("double of 17 digits", ",0.10000000000000001\r\n", 0.1),
  replies("double beyond range", ",1e999\r\n", Infinity),
  replies("infinity", ",inf\r\n", Infinity),
  replies("infinity with plus", ",+inf\r\n", Infinity),
  replies("negative infinity", ",-inf\r\n", -Infinity),
  replies("not a number", ",nan\r\n", NaN),
  replies("not a number, as some C libraries print it", ",-nan\r\n", NaN),
  replies("big number", "(3492890328409238509324850943850943825024385\r\n", big()),
  replies("big number below zero", "(-3492890328409238509324850943850943825024385\r\n", -big()),
  replies("big number that is small", "(5\r\n", 5n),
  replies(
    "bulk error",
    "!21\r\nSYNTAX invalid syntax\r\n",
    new ServerError("SYNTAX invalid syntax"),
  ),
  replies("bulk error of two lines", "!7\r\nERR\r\nab\r\n", new ServerError("ERR\r\nab")),
  replies("bulk error, empty", "!0\r\n\r\n", new ServerError("")),
  replies("verbatim string", "=15\r\ntxt:Some string\r\n", b("Some string")),
  replies("verbatim string, empty", "=4\r\nmkd:\r\n", b("")),
  inText("verbatim string", "=10\r\ntxt:größ\r\n", "größ"),
  replies("map", "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", new RespMap(["a", 1, "b", 2])),
  replies("map, empty", "%0\r\n", new RespMap([])),
  replies("map with a key twice", "%2\r\n+a\r\n:1\r\n+a\r\n:2\r\n", new RespMap(["a", 1, "a", 2])),
  replies(
    "map with keys of every type",
    "%7\r\n:1\r\n+i\r\n,1\r\n+d\r\n#t\r\n+b\r\n_\r\n+n\r\n*1\r\n:1\r\n+a\r\n" +
      "%1\r\n:1\r\n:2\r\n+m\r\n-ERR\r\n+e\r\n",
    new RespMap(
      [1, "i", 1, "d", true, "b", null, "n", [1], "a", new RespMap([1, 2]), "m"]
        .concat([new ServerError("ERR"), "e"] as never) as Reply[],
    ),
  ),
  inText(
    "map with the key __proto__",
    "%1\r\n$9\r\n__proto__\r\n:1\r\n",
    new RespMap(["__proto__", 1]),
  ),
  replies("set", "~3\r\n+a\r\n:1\r\n#t\r\n", ["a", 1, true]),
  replies("set, empty", "~0\r\n", []),
  replies("set with a member twice", "~2\r\n:1\r\n:1\r\n", [1, 1]),
  replies(
    "error inside an array",
    "*3\r\n:1\r\n-ERR no\r\n!6\r\nERR no\r\n",
    [1, new ServerError("ERR no"), new ServerError("ERR no")],
  ),
  replies("attributed reply", "|1\r\n+ttl\r\n:3600\r\n$1\r\nx\r\n", b("x")),
  replies("attributed array", "|1\r\n+a\r\n:1\r\n*2\r\n:1\r\n:2\r\n", [1, 2]),
  replies(
    "attributes are dropped",
    "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n*1\r\n|0\r\n:2\r\n-ERR no\r\n" +
      "*2\r\n|1\r\n+a\r\n:1\r\n:1\r\n%1\r\n|1\r\n+a\r\n:1\r\n+k\r\n|0\r\n+v\r\n" +
      "|1\r\n+a\r\n:1\r\n_\r\n|0\r\n!6\r\nERR no\r\n*?\r\n|0\r\n:5\r\n.\r\n",
    new ServerError("ERR no"),
    [1, new RespMap(["k", "v"])],
    null,
    new ServerError("ERR no"),
    [5],
  ),
  replies("no attributes", "|0\r\n:1\r\n", 1),
  replies(
    "attributes inside an array",
    "*2\r\n|1\r\n+a\r\n:1\r\n:1\r\n:2\r\n",
    [1, 2],
  ),
  replies(
    "attributes twice",
    "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n:3\r\n",
    3,
  ),
  replies(
    "attributes inside attributes and of a key and a value",
    "|1\r\n|1\r\n:1\r\n:2\r\n+k\r\n|0\r\n+v\r\n+r\r\n",
    "r",
  ),
  replies(
    "streamed string",
    "$?\r\n;4\r\nHell\r\n;6\r\no worl\r\n;1\r\nd\r\n;0\r\n",
    b("Hello world"),
  ),
  replies("streamed string, empty", "$?\r\n;0\r\n", b("")),
  inText("streamed string cut within a letter", "$?\r\n;3\r\n字\r\n;0\r\n", "字"),
  replies(
    "streamed string inside an array",
    "*2\r\n$?\r\n;1\r\na\r\n;0\r\n:1\r\n",
    [b("a"), 1],
  ),
  replies("streamed array", "*?\r\n:1\r\n:2\r\n.\r\n", [1, 2]),
  replies("streamed array, empty", "*?\r\n.\r\n", []),
  replies("streamed set", "~?\r\n:1\r\n:1\r\n.\r\n", [1, 1]),
  replies("streamed map", "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n", new RespMap(["a", 1, "b", 2])),
  replies("streamed map, empty", "%?\r\n.\r\n", new RespMap([])),
  replies(
    "streams inside streams",
    "*?\r\n*?\r\n.\r\n%?\r\n~?\r\n:1\r\n.\r\n$?\r\n;0\r\n.\r\n.\r\n",
    [[], new RespMap([[1], b("")])],
  ),
  replies(
    "attributed element of a streamed array",
    "*?\r\n|1\r\n+a\r\n:1\r\n:5\r\n.\r\n",
    [5],
  ),
  replies("many replies", "+a\r\n:1\r\n*1\r\n:2\r\n$1\r\nb\r\n_\r\n", "a", 1, [2], b("b"), null),
];

const PMESSAGE = ">4\r\n$8\r\npmessage\r\n$5\r\n__k*:\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n";
const MESSAGE = ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$0\r\n\r\n";
const bytesOf = (...items: string[]): string => `push ${show(items.map(b))}`;

/** Pushes of both protocols, for a sink that takes no messages apart. */
export const PUSHES: readonly Payload[] = [
  { name: "push", wire: b(">2\r\n+a\r\n:1\r\n"), events: ['push ["a", 1]'] },
  {
    name: "pushes between replies",
    wire: b(`+a\r\n>1\r\n$1\r\nx\r\n:1\r\n${MESSAGE}*1\r\n:2\r\n`),
    events: [`reply "a"`, bytesOf("x"), "reply 1", bytesOf("message", "ch", ""), "reply [2]"],
  },
  {
    name: "pmessage",
    wire: b(PMESSAGE),
    events: [bytesOf("pmessage", "__k*:", "__keyspace@0__:k", "set")],
  },
  {
    name: "push between attributes and their reply",
    wire: b("|1\r\n+a\r\n:1\r\n>1\r\n$1\r\nx\r\n$1\r\nr\r\n"),
    events: [bytesOf("x"), `reply ${show(b("r"))}`],
  },
  {
    name: "pushes between attributes and their reply, as text",
    wire: b(
      `|1\r\n$1\r\na\r\n:1\r\n${MESSAGE}|0\r\n>2\r\n$1\r\nx\r\n|0\r\n:1\r\n${PMESSAGE}` +
        "*1\r\n$1\r\nr\r\n$1\r\ns\r\n",
    ),
    options: text,
    events: [
      'push ["message", "ch", ""]',
      'push ["x", 1]',
      'push ["pmessage", "__k*:", "__keyspace@0__:k", "set"]',
      'reply ["r"]',
      'reply "s"',
    ],
  },
  {
    name: "push as text",
    wire: b(">2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n"),
    options: text,
    events: ['push ["a", ["b"]]'],
  },
  {
    name: "push and reply as text",
    wire: b(">1\r\n$1\r\na\r\n$1\r\nb\r\n"),
    options: text,
    events: ['push ["a"]', 'reply "b"'],
  },
];

/** Messages, for a sink that takes them apart. */
export const MESSAGES: readonly Payload[] = [
  {
    name: "pmessage",
    wire: b(PMESSAGE),
    events: ['message "__k*:" "__keyspace@0__:k" "set"'],
  },
  { name: "message", wire: b(MESSAGE), events: ['message "ch" ""'] },
  {
    name: "messages among the others, as text",
    wire: b(`+a\r\n${MESSAGE}${PMESSAGE}:1\r\n>1\r\n$1\r\nx\r\n${MESSAGE}$1\r\nb\r\n`),
    options: text,
    events: [
      'reply "a"',
      'message "ch" ""',
      'message "__k*:" "__keyspace@0__:k" "set"',
      "reply 1",
      'push ["x"]',
      'message "ch" ""',
      'reply "b"',
    ],
  },
  {
    name: "messages between attributes and their reply",
    wire: b(`|0\r\n${MESSAGE}${PMESSAGE}+a\r\n|0\r\n|0\r\n${MESSAGE}*1\r\n|0\r\n:1\r\n${MESSAGE}`),
    events: [
      'message "ch" ""',
      'message "__k*:" "__keyspace@0__:k" "set"',
      'reply "a"',
      'message "ch" ""',
      "reply [1]",
      'message "ch" ""',
    ],
  },
  {
    name: "what only looks like a message",
    wire: b(
      ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n:1\r\n>4\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n" +
        ">3\r\n$7\r\nmassage\r\n$0\r\n\r\n$0\r\n\r\n>2\r\n$7\r\nmessage\r\n$0\r\n\r\n",
    ),
    events: [
      `push [${show(b("message"))}, ${show(b("ch"))}, 1]`,
      bytesOf("message", "", "", ""),
      bytesOf("massage", "", ""),
      bytesOf("message", ""),
    ],
  },
  {
    name: "message of a large payload",
    wire: b(`>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5000\r\n${"x".repeat(5000)}\r\n`),
    events: [`message "c" "${"x".repeat(5000)}"`],
  },
  {
    name: "messages of simple and verbatim strings",
    wire: b(
      ">4\r\n+pmessage\r\n+p*\r\n+größe\r\n+set\r\n" +
        ">3\r\n=11\r\ntxt:message\r\n=6\r\ntxt:ch\r\n=4\r\ntxt:\r\n" +
        ">4\r\n$8\r\npmessage\r\n+p*\r\n$2\r\nch\r\n+set\r\n>3\r\n+message\r\n+ch\r\n$1\r\nx\r\n",
    ),
    events: [
      'message "p*" "größe" "set"',
      'message "ch" ""',
      'message "p*" "ch" "set"',
      'message "ch" "x"',
    ],
  },
  {
    name: "a message whose simple string may not have been UTF-8",
    wire: b(">3\r\n+message\r\n+ch\r\n+a\ufffd\r\n"),
    events: ['push ["message", "ch", "a\ufffd"]'],
  },
  {
    name: "messages in arrays, of simple strings",
    wire: b(
      "*3\r\n+message\r\n+ch\r\n+x\r\n*4\r\n+pmessage\r\n+p*\r\n+ch\r\n+x\r\n" +
        "*3\r\n+subscribe\r\n+ch\r\n:1\r\n*2\r\n+pong\r\n+\r\n*3\r\n=16\r\ntxt:punsubscribe\r\n_\r\n:0\r\n",
    ),
    options: { arrayPushes: true },
    events: [
      'message "ch" "x"',
      'message "p*" "ch" "x"',
      'push ["subscribe", "ch", 1]',
      'reply ["pong", ""]',
      `push [${show(b("punsubscribe"))}, null, 0]`,
    ],
  },
  {
    name: "messages after and with attributes",
    wire: b(
      `|1\r\n+a\r\n:1\r\n${MESSAGE}${MESSAGE.replace(">", "*")}${MESSAGE.replace(">", "*")}` +
        ">3\r\n|0\r\n+message\r\n|1\r\n+a\r\n:1\r\n$2\r\nch\r\n|0\r\n+x\r\n",
    ),
    options: { arrayPushes: true },
    events: [
      'message "ch" ""',
      'message "ch" ""',
      'message "ch" ""',
      'message "ch" "x"',
    ],
  },
  {
    name: "many pushes with attributes",
    wire: b(`|1\r\n+a\r\n:1\r\n${MESSAGE}`.repeat(200) + "|0\r\n>1\r\n+x\r\n|0\r\n+r\r\n"),
    events: [...Array(200).fill('message "ch" ""'), 'push ["x"]', 'reply "r"'],
  },
  {
    name: "arrays that are not pushes",
    wire: b(MESSAGE.replace(">", "*")),
    events: [`reply ${show(["message", "ch", ""].map(b))}`],
  },
  {
    name: "arrays that are pushes",
    wire: b(
      "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n" + MESSAGE.replace(">", "*") +
        PMESSAGE.replace(">", "*") + "*2\r\n$4\r\npong\r\n$0\r\n\r\n" +
        "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n*1\r\n*1\r\n$1\r\na\r\n*0\r\n*-1\r\n$1\r\na\r\n",
    ),
    options: { strings: "text", arrayPushes: true },
    events: [
      'push ["subscribe", "ch", 1]',
      'message "ch" ""',
      'message "__k*:" "__keyspace@0__:k" "set"',
      'reply ["pong", ""]',
      'push ["punsubscribe", null, 0]',
      'reply [["a"]]',
      "reply []",
      "reply null",
      'reply "a"',
    ],
  },
];

function big(): bigint {
  return 3492890328409238509324850943850943825024385n;
}

function invalidUtf8(): { wire: Uint8Array } {
  const wire = b("$3\r\nabc\r\n");
  wire.set([0xff, 0, 0xfe], 4);
  return { wire };
}
