import { assertEquals } from "@std/assert";
import { createClient } from "npm:@redis/client@6.3.1";
import { KeyNotification } from "../../parse/mod.ts";
import { startServer, within } from "../servers/mod.ts";

Deno.test("takes what listeners of node-redis are called with", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "AKE" } });
  const client = createClient({
    disableClientInfo: true,
    socket: { host: "127.0.0.1", port: server.port, reconnectStrategy: false },
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const calls: unknown[][] = [];
    let wake = () => {};
    const listener = (...args: unknown[]) => {
      calls.push(args);
      wake();
    };
    await client.subscribe("__keyspace@0__:k", listener);
    await client.subscribe("__keyevent@0__:set", listener, true);
    await client.pSubscribe("__keyspace@*__:k*", listener);
    await client.pSubscribe("__keyevent@*__:*", listener, true);
    await server.command("SET", "k", "v");
    await within(
      (async () => {
        while (calls.length < 4) await new Promise<void>((resolve) => wake = resolve);
      })(),
      10_000,
      "four messages",
    );
    assertEquals(
      calls.map((args) => {
        const found = KeyNotification.fromMessage(args);
        return [found?.kind, found?.key, found?.eventType];
      }),
      ["keyspace", "keyspace", "keyevent", "keyevent"].map((kind) => [kind, "k", "set"]),
    );
  } finally {
    client.destroy();
  }
});
