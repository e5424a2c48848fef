import { assertEquals, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import type { Connection } from "../../../pubsub/connection/connection.ts";
import { dialServer } from "../../../pubsub/connection/handshake.ts";
import type { Transport } from "../../../pubsub/connection/transport.ts";
import { until } from "../../servers/mod.ts";

/** A transport on which nothing happens until it is closed. */
function silentTransport(): Transport & { readonly closed: boolean } {
  let end = () => {};
  const ended = new Promise<null>((resolve) => end = () => resolve(null));
  let closed = false;
  return {
    read: () => ended,
    write: () => Promise.resolve(),
    close() {
      closed = true;
      end();
    },
    get closed() {
      return closed;
    },
  };
}

function open(transport: Transport, signal: AbortSignal): Promise<Connection> {
  return dialServer({
    address: { hostname: "192.0.2.1", port: 6379 },
    dial: () => Promise.resolve(transport),
    timeout: 1_000,
    limits: {},
    signal,
  });
}

Deno.test("a connection that is given up in whatever turn of its making is closed", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const attempt = new AbortController();
    const transport = silentTransport();
    const opening = open(transport, attempt.signal)
      .then((connection) => connection.request("PING"));
    const failed = assertRejects(() => opening, Error, "enough");
    for (let turn = 0; turn < turns; turn++) await null;
    attempt.abort(new Error("enough"));
    await failed;
    assertEquals(transport.closed, true, `after ${turns} turns`);
  }
});

Deno.test("a connection that is over leaves nothing on its signal", async () => {
  const { signal } = new AbortController();
  const connection = await open(silentTransport(), signal);
  assertEquals(getEventListeners(signal, "abort").length, 1);
  connection.close(new Error("enough"));
  await until("it has let go", () => getEventListeners(signal, "abort").length === 0, 10_000);
});

Deno.test("what was sent counts as in memory until the transport has taken it", async () => {
  const taken = Promise.withResolvers<void>();
  const transport = { ...silentTransport(), write: () => taken.promise };
  const connection = await open(transport, new AbortController().signal);
  connection.sendInOrder(["PING"], { answer() {}, fail() {} });
  assertEquals(connection.buffered, "*1\r\n$4\r\nPING\r\n".length);
  taken.resolve();
  await until("it is taken", () => connection.buffered === 0, 10_000);
  connection.close(new Error("enough"));
});
