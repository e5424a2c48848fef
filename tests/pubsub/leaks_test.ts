/** Whatever a server, a sentinel, a function or a dial says, nobody is shown a password. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type ConnectOptions,
  dial,
  type SentinelTarget,
} from "../../mod.ts";
import { startSentinels, startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";
import { ECHOES, leaksOf } from "./echoes.ts";
import { FakeSentinel } from "./fake_sentinel.ts";

const PASSWORDS = ["zq7#Kx'v\"9\nWj", "Zx".repeat(70) + "9-qK0", "键盘é字ж"];
const EXAMPLES = ["Redis 7", "quoted", "spread", "a URL", "as the code", "many lines"];
assert(EXAMPLES.every((shape) => Object.hasOwn(ECHOES, shape)));

/** All that a program can see of a value. */
function seen(value: unknown): string {
  return Deno.inspect(value, {
    depth: 20,
    showHidden: true,
    getters: true,
    iterableLimit: 1_000,
    strAbbreviateSize: 1e8,
  }).replace(/\n +at .*/g, "");
}

/** Watches a server as far as that goes, and gathers all that is shown of it. */
async function watch(
  target: string | SentinelTarget,
  options: ConnectOptions,
  work: (told: unknown[]) => Promise<unknown> = () => Promise.resolve(),
): Promise<string> {
  const told: unknown[] = [];
  const tell = (what: unknown) => told.push(what);
  const callbacks = { onWarning: tell, onError: tell, onStatus: tell, onGap: tell };
  try {
    await using notifications = await connect(target, { timeout: 2_000, ...callbacks, ...options });
    try {
      await notifications.subscribeKeyspace("user:*", { db: 3 });
      await work(told);
    } catch (error) {
      tell(error);
    }
    tell(notifications);
    tell(notifications.status());
    tell(notifications.health());
  } catch (error) {
    tell(error);
  }
  return told.map(seen).join("\n");
}

function assertClean(text: string, password: string, about: string): void {
  assertEquals(leaksOf(text, password), [], `${about}: ${text.slice(0, 2_000)}`);
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b]/.test(text), `${about}: ${text.slice(0, 2_000)}`);
}

const bulk = (text: string) => `$${new TextEncoder().encode(text).length}\r\n${text}\r\n`;
const failure = (text: string) => `!${new TextEncoder().encode(text).length}\r\n${text}\r\n`;
/** A simple error ends with its line. */
const simple = (text: string) => `-${text.replace(/[\r\n]/g, " ")}\r\n`;

/** Refuses all, from this command on. */
function refusing(
  from: string,
  protocol: 2 | 3,
  echo: (password: string) => string,
): (words: readonly string[]) => string | undefined {
  let isSecret = "";
  return ([name, ...words]) => {
    if (name === "HELLO" && words[3] !== undefined) isSecret = words[3];
    if (name === "AUTH") isSecret = words.at(-1)!;
    const text = protocol === 3 ? failure(echo(isSecret)) : simple(echo(isSecret));
    if (protocol === 2 && name === "HELLO" && from !== "HELLO") {
      return "-ERR unknown command 'HELLO'\r\n";
    }
    return name === from || from === "" && !["HELLO", "AUTH"].includes(name!) ? text : undefined;
  };
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: what a server repeats of a password is shown nowhere`, async () => {
    for (const password of PASSWORDS) {
      for (const shape of EXAMPLES) {
        const commands = ["HELLO", "AUTH", "CONFIG", "SELECT", "PSUBSCRIBE", "CLIENT", "INFO", ""];
        for (const from of commands) {
          await using server = new FakeServer(refusing(from, protocol, ECHOES[shape]!));
          const options = { username: "watcher", password };
          assertClean(await watch(server.url, options), password, `${from} ${shape}`);
          const credentials = () => ({ password });
          assertClean(await watch(server.url, { credentials }), password, `${from} ${shape}`);
        }
      }
    }
  });
}

Deno.test("a user is shown on one line, and not where the password stands in it", async () => {
  await using server = new FakeServer(([name]) =>
    ["HELLO", "AUTH"].includes(name!) ? "-WRONGPASS invalid username-password pair\r\n" : undefined
  );
  const password = "zq7KxvWj9";
  for (const username of [password, `app-${password}`, "x\x1b[2J\nforged", "x".repeat(1e5)]) {
    const text = await watch(server.url, { username, password });
    assertClean(text, password, username.slice(0, 20));
    assert(text.length < 10_000);
  }
});

Deno.test("a server that calls itself by the password is not called so", async () => {
  const password = "zq7KxvWj9";
  for (const field of ["server", "version", "mode", "role"]) {
    await using server = new FakeServer(([name]) =>
      name === "HELLO"
        ? `%2\r\n${bulk("proto")}:3\r\n${bulk(field)}${bulk(`x${password}\n`)}`
        : undefined
    );
    assertClean(await watch(server.url, { password }), password, field);
  }
  for (const flags of [password, "KEA\x1b[2J\nforged", "K'; rm -rf '", "KEA".repeat(1e5)]) {
    await using server = new FakeServer(([name]) =>
      name === "CONFIG" ? `%1\r\n${bulk("notify-keyspace-events")}${bulk(flags)}` : undefined
    );
    const text = await watch(server.url, { password });
    assertClean(text, password, flags.slice(0, 20));
    assertStringIncludes(text, 'flags: "unknown"');
    assert(text.length < 10_000);
  }
});

Deno.test("what a server repeats when it is reconnect to is shown nowhere", async () => {
  const password = "zq7KxvWj9";
  let isFirst = true;
  await using server = new FakeServer(([name]) => {
    if (name !== "HELLO" || isFirst) return undefined;
    return simple(`WRONGPASS of ${password}`);
  });
  const text = await watch(server.url, { password }, async (told) => {
    isFirst = false;
    server.hangUp();
    await until("it was refused", () => seen(told).includes("not shown"));
  });
  assertStringIncludes(text, "WRONGPASS (not shown");
  assertClean(text, password, "reconnecting");
});

Deno.test("an error of 10 MB is a short message", async () => {
  for (const command of ["HELLO", "CONFIG", "PSUBSCRIBE"]) {
    await using server = new FakeServer(([name]) =>
      name === command ? failure(`WRONGPASS ${"x\n".repeat(5e6)}`) : undefined
    );
    const text = await watch(server.url, { password: "zq7KxvWj9" });
    assert(text.length < 10_000, `${command}: ${text.length}`);
  }
});

Deno.test("errors of one's own functions are shown without the password", async () => {
  const password = "zq7#Kx'v\"9 Wj";
  const url = `redis://:${encodeURIComponent(password)}@localhost`;
  const failures = [
    new Error(`no route to ${url}`),
    new Error("no", { cause: new Error(password) }),
    new ConnectError("CONNECT_FAILED", `cannot reach ${url}`, { cause: { url } }),
    Object.assign(new Error("no"), { options: "", password }),
    password,
  ];
  for (const thrown of failures) {
    const fail = () => Promise.reject(thrown);
    assertClean(await watch("redis://localhost", { password, dial: fail }), password, "dial");
    await using server = new FakeServer(() => undefined);
    const reading: ConnectOptions = {
      password,
      dial: async (address, options) => {
        const transport = await dial(address, options);
        return {
          write: (bytes) => transport.write(bytes),
          close: () => transport.close(),
          read: fail,
        };
      },
    };
    assertClean(await watch(server.url, reading), password, "read");
    // What it gave before is what it fails with.
    let calls = 0;
    const credentials = () => calls++ === 0 ? { password } : fail();
    const text = await watch(server.url, { credentials }, async (told) => {
      server.hangUp();
      await until("it has failed", () => seen(told).includes("credentials function failed"));
    });
    assertStringIncludes(text, "credentials function failed");
    assertClean(text, password, "credentials");
  }
});

Deno.test("an error of one's own that holds no password is shown as the cause", async () => {
  const thrown = Object.assign(new Error("no route"), { code: "EHOSTUNREACH" });
  const error = await assertRejects(
    () =>
      connect("redis://localhost", { password: "zq7KxvWj9", dial: () => Promise.reject(thrown) }),
    ConnectError,
    "no route",
  );
  const { message, code, stack } = error.cause as typeof thrown;
  assertEquals([message, code, stack], ["no route", "EHOSTUNREACH", thrown.stack]);
});

Deno.test("what a sentinel repeats of any password is shown nowhere", async () => {
  const password = "zq7KxvWj9", own = "YpQ48mmLs";
  for (const secret of [password, own]) {
    for (const shape of EXAMPLES) {
      for (const from of ["HELLO", "SENTINEL"]) {
        await using server = new FakeServer(([name]) =>
          name === from ? simple(ECHOES[shape]!(secret)) : undefined
        );
        const target = {
          sentinels: [server.url.replace("//", `//:${own}@`)],
          name: "mymaster",
        };
        const text = await watch(target, { password });
        assertClean(text, secret, `${from} ${shape}`);
      }
    }
    await using sentinel = new FakeSentinel({ host: `${secret}.example`, port: 1 }, 1);
    sentinel.others = [{ host: secret, port: 1 }, { host: "a\nforged", port: 2 }];
    const text = await watch({
      sentinels: [sentinel.url],
      name: "mymaster",
      sentinelCredentials: { password: own },
    }, { password, timeout: 500 });
    assertClean(text, secret, "the primary's name");
    assertStringIncludes(text, "is not a usable address");
  }
});

Deno.test("the names of a cluster's nodes are not secrets, and drive no terminal", async () => {
  const password = "zq7KxvWj9";
  const fields = ["id", "endpoint", "hostname", "ip", "role", "port"];
  for (const field of fields) {
    for (const value of [`${password}.example`, "a\x1b[2J\nforged", "x".repeat(1e5)]) {
      const node: Record<string, string> = {
        id: "a".repeat(40),
        endpoint: "127.0.0.1",
        port: "1",
        role: "master",
        health: "online",
        [field]: value,
      };
      const pairs = Object.entries(node).map(([name, text]) => bulk(name) + bulk(text)).join("");
      const shards = `*1\r\n%2\r\n${bulk("slots")}*2\r\n:0\r\n:16383\r\n${bulk("nodes")}*1\r\n` +
        `%${Object.keys(node).length}\r\n${pairs}`;
      await using server = new FakeServer(([name]) =>
        name === "HELLO"
          ? `%2\r\n${bulk("mode")}${bulk("cluster")}${bulk("role")}${bulk("master")}`
          : name === "CLUSTER"
          ? shards
          : undefined
      );
      const text = await watch(server.url, { password, timeout: 500 });
      assertClean(text, password, `${field} ${value.slice(0, 20)}`);
      assert(text.length < 10_000, field);
    }
  }
});

Deno.test("a host that is the server's own, or a word of the password, is used", async () => {
  let port = "";
  await using server = new FakeServer(([name]) =>
    name === "HELLO"
      ? `%2\r\n${bulk("mode")}${bulk("cluster")}${bulk("role")}${bulk("master")}`
      : name === "CLUSTER"
      ? `*1\r\n%2\r\n${bulk("slots")}*2\r\n:0\r\n:16383\r\n${bulk("nodes")}*1\r\n%4\r\n` +
        `${bulk("id")}${bulk("redis-1")}${bulk("endpoint")}${bulk("127.0.0.1")}` +
        `${bulk("port")}:${port}\r\n${bulk("role")}${bulk("master")}`
      : undefined
  );
  port = new URL(server.url).port;
  for (const password of ["redis", "127.0.0.1"]) {
    await using notifications = await connect(server.url, { password, migrations: "deliver" });
    await notifications.subscribeKeyevent("del");
    assertEquals(notifications.status().nodes[0]!.id, "redis-1");
  }
});

Deno.test("real servers that lack HELLO or AUTH repeat the password to nobody", async () => {
  const password = "zq7KxvWj9-".repeat(20);
  const settings = [
    { password, config: { "rename-command": 'HELLO ""' } },
    // Nobody could log in there at all, so it has no password.
    { config: { "rename-command": 'AUTH ""' } },
    { config: { "rename-command": ['HELLO ""', 'AUTH ""'] } },
  ];
  for (const { config, ...options } of settings) {
    await using server = await startServer({
      ...options,
      config: { ...config, "notify-keyspace-events": "KEA" },
    });
    for (const protocol of [undefined, 2, 3] as const) {
      const text = await watch(server.url, {
        password,
        ...(protocol === undefined ? {} : { protocol }),
      });
      assertClean(text, password, `${protocol} ${config["rename-command"]}`);
    }
  }
});

Deno.test("real sentinels repeat no password to anybody", async () => {
  const password = "zq7KxvWj9", sentinelPassword = "YpQ48mmLs";
  await using stage = await startSentinels({
    sentinels: 1,
    quorum: 1,
    password,
    sentinelPassword,
  });
  const cases: [servers: string, sentinels: string][] = [
    [password, sentinelPassword],
    [sentinelPassword, password],
    [`${password}x`, sentinelPassword],
    [password, `${sentinelPassword}x`],
  ];
  for (const [servers, sentinels] of cases) {
    const text = await watch({
      sentinels: stage.urls,
      name: "mymaster",
      sentinelCredentials: { password: sentinels },
    }, { password: servers, timeout: 500 });
    assertClean(text, password, "servers");
    assertClean(text, sentinelPassword, "sentinels");
  }
});

Deno.test("a wrong password is called so, and is not shown", async () => {
  await using server = await startServer({ password: "zq7KxvWj9" });
  for (const protocol of [2, 3] as const) {
    const error = await assertRejects(
      () => connect(server.url, { password: "disabled-password", protocol }),
      AuthError,
    );
    assertStringIncludes(error.message, "WRONGPASS");
    assertClean(seen(error).replaceAll(/password|disabled/g, ""), "disabled-password", "wrong");
  }
});
