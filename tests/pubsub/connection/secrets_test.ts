/** What is left of texts that servers and others wrote. */
import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { ConnectError, TimeoutError } from "../../../pubsub/connection/errors.ts";
import { excerpt, printable } from "../../../pubsub/connection/printable.ts";
import { Secrets } from "../../../pubsub/connection/secrets.ts";
import { type Reply, ServerError } from "../../../resp/mod.ts";
import { ECHOES, leaksOf, PASSWORDS } from "../echoes.ts";

function cleaned(text: string, ...passwords: string[]): ServerError {
  const secrets = new Secrets();
  for (const password of passwords) secrets.add(password);
  return secrets.clean(new ServerError(text)) as ServerError;
}

Deno.test("no echo of a password is left in a server's error", () => {
  for (const password of PASSWORDS) {
    for (const [shape, echo] of Object.entries(ECHOES)) {
      const text = echo(password);
      const { message, code, stack } = cleaned(text, password);
      const head = stack!.split("\n    at ")[0]!;
      const leaks = [message, code, head].flatMap((shown) => leaksOf(shown, password));
      assertEquals(leaks, [], `${shape} of ${JSON.stringify(password)}: ${message}`);
      assert(message.length <= 400, shape);
    }
  }
});

Deno.test("what is known of a server's words is left whatever the password is", () => {
  const known = {
    "ERR unknown command 'HELLO'": "unknown command",
    "NOAUTH Authentication required.": "Authentication required",
    "ERR NOAUTH Authentication required.": "ERR NOAUTH",
    "WRONGPASS invalid username-password pair or user is disabled.": "invalid username",
    "ERR AUTH <password> called without any password configured for the default user.":
      "without any password",
    "ERR max number of clients reached": "max number of clients",
    "ERR wrong number of arguments for 'auth' command": "wrong number of arguments",
    "NOPERM User default has no permissions to run the 'psubscribe' command": "",
    "LOADING Redis is loading the dataset in memory": "",
  };
  const passwords = ["password", "unknown command", "HELLO", "l", "invalid password", "redis"];
  for (const [text, words] of Object.entries(known)) {
    for (const password of passwords) {
      const { message, code } = cleaned(text, password);
      assertEquals(code, text.split(" ")[0]);
      assert(message.includes(words), `${message} (${password})`);
    }
    assertEquals(cleaned(text, "s3cret-P4ss").message, text);
    assertEquals(cleaned(text).message, text);
  }
});

Deno.test("an escaped password is not less a password", () => {
  const password = "键盘é字ж-Zq7";
  const bytes = [...new TextEncoder().encode(password)];
  const hex = (mark: string) =>
    bytes.map((byte) => `${mark}${byte.toString(16).padStart(2, "0")}`).join("");
  const texts = [
    hex("%"),
    hex("%").toUpperCase(),
    hex("\\x"),
    hex("\\x").slice(0, -6),
    JSON.stringify(password),
    Array.from(password, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`).join(
      "",
    ),
    `\\"${[...password].join("\\")}\\"`,
  ];
  for (const text of texts) {
    assertStringIncludes(cleaned(`ERR cannot use ${text}`, password).message, "ERR (not shown");
  }
});

Deno.test("a server's error is clipped and escaped, and keeps no more than that", () => {
  const { message, code } = cleaned(
    `ERR \x1b[31mred\n2026 forged\x7f\x9b\u202e\u200b\ud800 ${"x".repeat(1e7)}`,
  );
  assertEquals(code, "ERR");
  assert(
    message.startsWith("ERR \\x1b[31mred\\n2026 forged\\x7f\\x9b\\u{202e}\\u{200b}\\u{d800} xxx"),
  );
  assert(message.endsWith("x…"));
  assert(message.length <= 201);
  const before = Deno.memoryUsage();
  const kept = Array.from({ length: 40 }, (_, n) => cleaned(`ERR ${n}`.padEnd(4e6, "é ")));
  const { heapUsed, external } = Deno.memoryUsage();
  assert(heapUsed + external - before.heapUsed - before.external < 100e6);
  assertEquals(kept.length, 40);
});

Deno.test("replies that are not errors are as they were", () => {
  const secrets = new Secrets();
  secrets.add("correct horse");
  const others: Reply[] = ["correct horse", new Uint8Array([1]), ["correct horse"], 1, null];
  for (const other of others) assertStrictEquals(secrets.clean(other), other);
});

Deno.test("what a server says of itself is shown unless it repeats the password", () => {
  const secrets = new Secrets();
  for (const password of ["redis", "cluster", "7.0.15", "abc"]) secrets.add(password);
  for (const text of ["redis", "cluster", "7.0.15"]) {
    assertEquals(secrets.field(text), text);
  }
  assertEquals(secrets.field("8.0.0-rc1"), "8.0.0-rc1");
  assertEquals(secrets.field("my redis"), null);
  assertEquals(secrets.field("abc"), null);
  assertEquals(secrets.field("a\nb"), "a\\nb");
  assertEquals(secrets.field("x".repeat(1e6))!.length, 201);
});

Deno.test("a name that is not a name, or repeats the password, is not allowed", () => {
  const secrets = new Secrets();
  secrets.add("redis");
  secrets.add("s3cret-P4ssword");
  for (const name of ["redis-1.internal", "::1", "10.0.0.1", "узел-1", "a".repeat(255)]) {
    assert(secrets.allowsName(name), name);
  }
  const others = ["", "a b", "a\nb", "a\x1b", "a\u202eb", "a\u200b", "\ud800", "a".repeat(256)];
  for (const name of [...others, "s3cret-p4ssword.example", "S3CRET-P4.example"]) {
    assert(!secrets.allowsName(name), name);
  }
});

/** All that a log may show of a value. */
function seen(value: unknown): string {
  return Deno.inspect(value, { depth: 20, showHidden: true });
}

Deno.test("an error of one's own is copied with its name, message, code, causes and stack", () => {
  const secrets = new Secrets();
  secrets.add("p@ss word!");
  const inner = Object.assign(new TypeError("no route"), { code: "EHOSTUNREACH" });
  const thrown = new Error("cannot dial", { cause: inner });
  const copy = secrets.ownError(thrown);
  assertEquals([copy.name, copy.message, copy.stack], ["Error", "cannot dial", thrown.stack]);
  const cause = copy.cause as typeof inner;
  assertEquals([cause.name, cause.message, cause.code], ["TypeError", "no route", "EHOSTUNREACH"]);
  const aborted = secrets.ownError(new DOMException("given up", "AbortError"));
  assertEquals([aborted.name, aborted.message], ["AbortError", "given up"]);
  const all = secrets.ownError(new AggregateError([inner, "refused"], "all"));
  assertEquals([all.name, all.message], ["AggregateError", "no route, refused"]);
  const late = new TimeoutError("CREDENTIALS_TIMEOUT", "late", 5, { server: "a:1" });
  const own = secrets.ownError(late);
  assert(own instanceof TimeoutError);
  assertEquals([own.name, own.code, own.timeout, own.server], [
    "TimeoutError",
    "CREDENTIALS_TIMEOUT",
    5,
    "a:1",
  ]);
  const messages = ["refused", 5, null, undefined, { message: "foreign" }, Symbol("no")]
    .map((value) => secrets.ownError(value).message);
  assertEquals(messages, ["refused", "5", "null", "undefined", "foreign", "Symbol(no)"]);
});

Deno.test("an error of one's own that holds the password is copied without it", () => {
  const secrets = new Secrets();
  for (const password of ["p@ss word!", "xq"]) secrets.add(password);
  const circle: Error = new Error("no p@ss word!");
  circle.cause = circle;
  const password = "p@ss word!";
  const leaky: Error[] = [
    new Error(`no ${password}`),
    new Error("at redis://:p%40ss%20word!@host"),
    new Error("the URL is redis://x:p%40ss%20word%21@host"),
    new Error("no 'xq' there"),
    new Error("outside", { cause: new Error("inside", { cause: new Error(password) }) }),
    new Error("outside", { cause: password }),
    new ConnectError("CONNECT_FAILED", `no ${password}`, { cause: new Error(password) }),
    new ConnectError("TLS_FAILED", "no", { server: `redis://:${password}@host` }),
    new TimeoutError("CREDENTIALS_TIMEOUT", `no ${password}`, 5),
    new AggregateError([new Error(password)], "all"),
    Object.assign(new Error("no"), { url: `redis://:${password}@host` }),
    Object.assign(new Error("no"), { code: password }),
    Object.assign(new Error("no"), { name: password }),
    Object.assign(new Error("no"), { stack: password }),
    new DOMException(`no ${password}`, "AbortError"),
    circle,
    ...holders(password).map((held) => Object.assign(new Error("no"), { held })),
    ...holders(password).map((cause) => new Error("no", { cause })),
    new AggregateError([Object.assign(new Error("no"), { held: { password } })], "all"),
    Object.defineProperty(new Error("no"), "hidden", { value: password }),
  ];
  for (const error of leaky) {
    const shown = seen(secrets.ownError(error));
    for (const form of [password, "p%40ss", "'xq'"]) assert(!shown.includes(form), shown);
    for (const kind of [ConnectError, TimeoutError]) {
      assertEquals(secrets.ownError(error) instanceof kind, error instanceof kind);
    }
  }
  const { code, server, timeout } = secrets.ownError(
    new TimeoutError("CREDENTIALS_TIMEOUT", `no ${password}`, 5, { server: password }),
  ) as TimeoutError;
  assertEquals([code, timeout], ["CREDENTIALS_TIMEOUT", 5]);
  assertStringIncludes(server!, "not shown");
  for (const held of holders(password)) {
    const shown = seen(secrets.ownError(held));
    assert(!shown.includes(password), shown);
  }
});

Deno.test("an error of one's own is copied within bounds, and whatever it is", () => {
  const secrets = new Secrets();
  assert(secrets.ownError(new Error("x".repeat(1e6))).message.length <= 1_001);
  let deep = new Error("deepest");
  for (let i = 0; i < 2_000; i++) deep = new AggregateError([deep], "deep", { cause: deep });
  const many = new AggregateError(Array.from({ length: 1e5 }, () => deep), "many");
  assert(seen(secrets.ownError(many)).length < 1e5);
  // What cannot be read is not shown.
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const { message, cause } = secrets.ownError(new Error("no", { cause: proxy }));
  assertEquals(message, "no");
  assertStringIncludes((cause as Error).message, "not shown");
});

/** What may hang on an error, with a text somewhere in it. */
function holders(text: string): object[] {
  class Request {
    readonly headers = { authorization: `Bearer ${text}` };
  }
  return [
    { config: { auth: [{ password: text }] } },
    ["AUTH", [text]],
    new Map([["password", text]]),
    new Set([{ text }]),
    new Request(),
    { [text]: 1 },
    { [Symbol("password")]: text },
    { toString: () => text },
    { bytes: new TextEncoder().encode(text) },
    {
      url: new URL(`redis://:${text.replace(/[^a-z0-9-]/gi, "")}@host?${encodeURIComponent(text)}`),
    },
    { inner: new Error("no", { cause: new Error(text) }) },
    Object.assign(() => {}, { password: text }),
  ];
}

Deno.test("of many passwords the last ones are remembered", () => {
  const secrets = new Secrets();
  for (let n = 1000; n < 1100; n++) secrets.add(`token-${n}`);
  assertEquals(secrets.field("token-1099"), null);
  assertEquals(secrets.repeats("1084"), true);
  assertEquals(secrets.repeats("1083"), false);
  secrets.add(undefined);
  secrets.add("");
  assertEquals(new Secrets().repeats("anything"), false);
});

Deno.test("an excerpt is printable, and no longer than it may be", () => {
  assertEquals(excerpt("abc", 3), "abc");
  assertEquals(excerpt("abcd", 3), "abc…");
  assertEquals(excerpt("a\u{1f600}b", 3), "a\u{1f600}…");
  assertEquals(excerpt("a\x1bb", 4), "a…");
  assertEquals(excerpt("\ud83d\ude00\ud83d"), "\u{1f600}\\u{d83d}");
  assertEquals(printable("\u3164\u115f\u2066"), "\\u{3164}\\u{115f}\\u{2066}");
});
