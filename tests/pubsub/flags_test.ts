import { assert, assertEquals } from "@std/assert";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { DeliveryCheck } from "../../pubsub/flags.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";

function channel(name: string): ServerChannel {
  return { bytes: new TextEncoder().encode(name), isPattern: false };
}

const [byKey, byEvent] = [channel("__keyspace@0__:k"), channel("__keyevent@0__:set")];

/** A server, and a way to change its flags. */
function serve(flags: string) {
  const server = { flags };
  const answer = () => Promise.resolve(["notify-keyspace-events", server.flags]);
  const connection = {
    server: "192.0.2.1:6379",
    product: { software: "redis", version: "8.0.0" },
    secrets: { repeats: () => false },
    request: answer,
    send: answer,
  } as unknown as Connection;
  return { server, connection };
}

Deno.test("flags that changed and changed back are looked at for what was subscribed meanwhile", async () => {
  const { server, connection } = serve("KA");
  const guard = new DeliveryCheck("require");
  assertEquals(await guard.checkAll(connection, [byKey]), null);
  server.flags = "KEA";
  assertEquals((await guard.check(connection, [[byEvent]]))([byEvent]), null);
  server.flags = "KA";
  const loss = await guard.recheck(connection, [byKey, byEvent], false, 0);
  assertEquals(loss?.error?.missing, "E");
  assertEquals(await guard.recheck(connection, [byKey, byEvent], false, 0), null);
});

Deno.test("a message proves the flags that let it through, and none of another channel", async () => {
  const later = Date.now() + 60_000;
  const filtered = { ...byKey, users: [{ events: ["expired"] }] };
  for (const wanted of [[byKey, channel("__keyspace@0__:other")], [byKey, byEvent], [filtered]]) {
    const { server, connection } = serve("KEA");
    const guard = new DeliveryCheck("require");
    await guard.checkAll(connection, wanted);
    const checkedAt = Date.now();
    server.flags = "";
    const loss = await guard.recheck(connection, wanted, false, later);
    if (!wanted.includes(byKey) || wanted.includes(byEvent)) assert(loss!.from <= checkedAt);
    else assertEquals(loss?.from, later);
  }
});
