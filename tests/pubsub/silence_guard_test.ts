import { assertEquals } from "@std/assert";
import type { Connection } from "../../pubsub/connection.ts";
import { SilenceGuard } from "../../pubsub/silence_guard.ts";
import type { ServerChannel } from "../../pubsub/registry.ts";

function channel(name: string): ServerChannel {
  return { bytes: new TextEncoder().encode(name), isPattern: false, isShard: false };
}

Deno.test("flags that changed and changed back are looked at for what was subscribed meanwhile", async () => {
  let flags = "KA";
  const answer = () => Promise.resolve(["notify-keyspace-events", flags]);
  const connection = {
    server: "192.0.2.1:6379",
    product: { software: "redis", version: "8.0.0" },
    secrets: { repeats: () => false },
    request: answer,
    inquire: answer,
  } as unknown as Connection;
  const [byKey, byEvent] = [channel("__keyspace@0__:k"), channel("__keyevent@0__:set")];
  const guard = new SilenceGuard("require");
  assertEquals(await guard.checkAll(connection, [byKey]), null);
  flags = "KEA";
  assertEquals((await guard.check(connection, [[byEvent]]))([byEvent]), null);
  flags = "KA";
  const loss = await guard.recheck(connection, [byKey, byEvent], false);
  assertEquals(loss?.error?.missing, "E");
  assertEquals(await guard.recheck(connection, [byKey, byEvent], false), null);
});
