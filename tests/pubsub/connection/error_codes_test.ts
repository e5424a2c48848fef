/** What can go wrong on a connection has a code, and names the server. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AuthError,
  CodedError,
  connect,
  dial,
  KeyspaceNotifications,
  TimeoutError,
  UnsupportedError,
} from "../../../mod.ts";
import { open, type OpenOptions } from "../../../pubsub/connection/mod.ts";
import { FakeServer } from "../fake_server.ts";

const MODE = (mode: string) => `%1\r\n$4\r\nmode\r\n$${mode.length}\r\n${mode}\r\n`;

/** The answer to `HELLO`, how to connect, and the code of the error. */
const CASES: readonly [
  code: string,
  hello: string | null,
  options?: OpenOptions,
][] = [
  ["PROTOCOL_ERROR", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["RESP3_UNSUPPORTED", "+OK\r\n", { protocol: 3 }],
  ["CLIENT_REFUSED", "-ERR max number of clients reached\r\n"],
  ["CLIENT_REFUSED", "-DENIED it is in protected mode\r\n"],
  ["RESP3_UNSUPPORTED", "-NOPROTO unsupported protocol version\r\n", { protocol: 3 }],
  ["PASSWORD_MISSING", "-NOAUTH Authentication required.\r\n"],
  ["PASSWORD_REFUSED", "-WRONGPASS invalid username-password pair\r\n", { password: "x" }],
  ["SERVER_BUSY", "-LOADING loading the dataset\r\n", { timeout: 50 }],
  ["REPLY_TIMEOUT", null, { timeout: 50 }],
  ["CREDENTIALS_FAILED", null, { credentials: () => Promise.reject(new Error("no token")) }],
  ["CREDENTIALS_TIMEOUT", null, { credentials: () => new Promise(() => {}), timeout: 50 }],
  ["CONNECT_TIMEOUT", null, { dial: () => new Promise(() => {}), timeout: 50 }],
  ["CONNECT_FAILED", null, { dial: () => Promise.reject(new Error("no route")) }],
];

for (const [code, hello, options] of CASES) {
  Deno.test(`${code}: ${JSON.stringify(hello)} ${Object.keys(options ?? {})}`, async () => {
    await using server = new FakeServer(([name]) => name === "HELLO" ? hello : undefined);
    const error = await assertRejects(() => open(server.url, options));
    assert(error instanceof CodedError, String(error));
    assertEquals([error.code, error.server], [code, server.url.slice("redis://".length)]);
  });
}

Deno.test("CONNECTION_LOST: the reason of a connection that the server ends", async () => {
  await using server = new FakeServer(() => undefined);
  const connection = await open(server.url);
  server.hangUp();
  const reason = await connection.closed;
  assert(reason instanceof CodedError);
  assertEquals([reason.code, reason.server], ["CONNECTION_LOST", connection.server]);
});

for (const [mode, code] of [["cluster", "CLUSTER_NODE"], ["sentinel", "WRONG_MODE"]] as const) {
  Deno.test(`${code}: a server whose mode is ${mode}`, async () => {
    await using server = new FakeServer(([name]) => name === "HELLO" ? MODE(mode) : undefined);
    const error = await assertRejects(() => KeyspaceNotifications.connect(server.url), CodedError);
    assertEquals([error.code, error.server], [code, server.url.slice("redis://".length)]);
  });
}

Deno.test("TLS_UNSUPPORTED: TLS over a unix socket", async () => {
  const { signal } = new AbortController();
  const dialing = () => dial({ path: "/tmp/none.sock" }, { signal, tls: {} });
  assertEquals((await assertRejects(dialing, UnsupportedError)).code, "TLS_UNSUPPORTED");
});

Deno.test("an error of the library that the caller's functions throw keeps its class and code", async () => {
  await using server = new FakeServer(() => undefined);
  const late = new TimeoutError("CONNECT_TIMEOUT", "The tunnel is not up", 5);
  const locked = new AuthError("PASSWORD_REFUSED", "The tunnel wants another key");
  for (const thrown of [late, locked]) {
    const dial = () => Promise.reject(thrown);
    const error = await connect(server.url, { dial }).catch((error) => error);
    assertEquals(error.constructor, thrown.constructor);
    assertEquals({ ...error, message: error.message }, { ...thrown, message: thrown.message });
  }
});
