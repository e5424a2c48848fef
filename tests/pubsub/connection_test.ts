import { assertEquals, assertRejects } from "@std/assert";
import { Connection, NO_EVENTS } from "../../pubsub/connection.ts";
import type { Transport } from "../../pubsub/transport.ts";

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

Deno.test("a connection that is given up in whatever turn of its making is closed", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const attempt = new AbortController();
    const transport = silentTransport();
    const opening = Connection.open({
      address: { hostname: "192.0.2.1", port: 6379 },
      dial: () => Promise.resolve(transport),
      timeout: 1_000,
      limits: {},
      signal: attempt.signal,
      events: NO_EVENTS,
    }).then((connection) => connection.request("PING"));
    const failed = assertRejects(() => opening, Error, "enough");
    for (let turn = 0; turn < turns; turn++) await null;
    attempt.abort(new Error("enough"));
    await failed;
    assertEquals(transport.closed, true, `after ${turns} turns`);
  }
});
