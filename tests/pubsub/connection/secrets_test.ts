/** What is left of texts that servers and others wrote. */
import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
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
  const known = [
    "ERR unknown command 'HELLO'",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "ERR AUTH <password> called without any password configured for the default user. Are you sure " +
    "your configuration is correct?",
    "ERR max number of clients reached",
    "NOPERM User default has no permissions to run the 'psubscribe' command",
    "LOADING Redis is loading the dataset in memory",
  ];
  const passwords = ["password", "unknown command", "HELLO", "l", "invalid password", "redis"];
  for (const text of known) {
    for (const password of passwords) {
      const { message, code } = cleaned(text, password);
      assertEquals(code, text.split(" ")[0]);
      const words = text.split(" ").slice(1, 4).join(" ");
      // One word of a user's name is not known.
      if (!text.startsWith("NOPERM")) assert(message.includes(words), `${message} (${password})`);
    }
    assertEquals(cleaned(text, "quite another one").message, text);
    assertEquals(cleaned(text).message, text);
  }
  assertEquals(
    cleaned("ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'a' ", "x").message,
    "ERR unknown command 'HELLO'",
  );
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

Deno.test("replies that are no errors are as they were", () => {
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

Deno.test("a name that is no name, or repeats the password, is not allowed", () => {
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

Deno.test("an error of one's own stays the same unless it holds the password", () => {
  const secrets = new Secrets();
  for (const password of ["p@ss word!", "ab"]) secrets.add(password);
  const same = [
    new Error("cannot dial", { cause: new Error("no route") }),
    new ConnectError("CONNECT_FAILED", "cannot dial about it"),
    new DOMException("given up", "AbortError"),
    new AggregateError([new Error("one")], "all"),
    "refused",
    undefined,
  ];
  for (const error of same) assertStrictEquals(secrets.ownError(error), error);

  const circle: Error = new Error("no p@ss word!");
  circle.cause = circle;
  const password = "p@ss word!";
  const leaky: Error[] = [
    new Error(`no ${password}`),
    new Error("at redis://:p%40ss%20word!@host"),
    new Error("the URL is redis://x:p%40ss%20word%21@host"),
    new Error("no 'ab' there"),
    new Error("outside", { cause: new Error("inside", { cause: new Error(password) }) }),
    new Error("outside", { cause: password }),
    new ConnectError("CONNECT_FAILED", `no ${password}`, { cause: new Error(password) }),
    new ConnectError("TLS_FAILED", "no", { server: `redis://:${password}@host` }),
    new TimeoutError("CREDENTIALS_TIMEOUT", `no ${password}`, 5),
    new AggregateError([new Error(password)], "all"),
    Object.assign(new Error("no"), { url: `redis://:${password}@host` }),
    Object.assign(new Error("no"), { code: password }),
    new DOMException(`no ${password}`, "AbortError"),
    circle,
    ...holders(password).map((held) => Object.assign(new Error("no"), { held })),
    ...holders(password).map((cause) => new Error("no", { cause })),
    new AggregateError([Object.assign(new Error("no"), { held: { password } })], "all"),
    Object.defineProperty(new Error("no"), "hidden", { value: password }),
  ];
  for (const error of leaky) {
    const clean = secrets.ownError(error) as Error;
    assertNotEquals(clean, error);
    assertEquals(clean.name, error.name);
    const shown = Deno.inspect(clean, { depth: 20, showHidden: true });
    for (const form of [password, "p%40ss", "'ab'"]) assert(!shown.includes(form), shown);
    for (const kind of [ConnectError, TimeoutError, AggregateError]) {
      assertEquals(clean instanceof kind, error instanceof kind);
    }
  }
  assert((secrets.ownError(new Error("x".repeat(1e6))) as Error).message.length <= 1_001);
});

Deno.test("an error that holds the password keeps its code and the rest of its fields", () => {
  const secrets = new Secrets();
  secrets.add("s3cret-P4ssword");
  const thrown = new TimeoutError("CREDENTIALS_TIMEOUT", "no s3cret-P4ssword", 5, {
    server: "s3cret-P4ssword.example:1",
  });
  const clean = secrets.ownError(thrown) as TimeoutError;
  assertEquals(clean.name, "TimeoutError");
  assertEquals([clean.code, clean.timeout, clean.server], [
    "CREDENTIALS_TIMEOUT",
    5,
    "***.example:1",
  ]);
});

Deno.test("what is thrown and is no error stays the same unless it holds the password", () => {
  const secrets = new Secrets();
  secrets.add("s3cret-P4ssword");
  for (const held of holders("s3cret-P4ssword")) {
    const shown = Deno.inspect(secrets.ownError(held), { depth: 20 });
    assert(shown.includes("not shown"), shown);
  }
  const same = [...holders("harmless"), 5, null, undefined, () => "harmless"];
  for (const thrown of same) assertStrictEquals(secrets.ownError(thrown), thrown);
  // Whatever cannot be looked at may hold it.
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  let deep: object = {};
  for (let i = 0; i < 2_000; i++) deep = { deep };
  for (const held of [proxy, deep]) {
    const clean = secrets.ownError(Object.assign(new Error("no"), { held })) as Error;
    assertEquals([clean.message, Object.keys(clean)], ["no", []]);
  }
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
  assertEquals(secrets.repeats("1084", 4), true);
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
