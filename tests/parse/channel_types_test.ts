import { assertEquals } from "@std/assert";
import { connect, type KeyNotification } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";
import { assertComesWhole } from "./channel_types.ts";

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: what each channel type says comes through a server whole`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KE$" } });
    await assertComesWhole(server, protocol);
  });
}

Deno.test("each way to subscribe to subkeys brings its own and no others", async () => {
  await using server = await startServer();
  await using notifications = await connect(server.url, { flags: "ignore" });
  const heard: string[] = [];
  const handler = ({ kind, key, subkeys }: KeyNotification) => {
    heard.push([kind, key, ...subkeys].join(" "));
  };
  await notifications.subscribeSubkeyspace("cart:7", { handler });
  await notifications.subscribeSubkeyevent("hdel", { handler });
  await notifications.subscribeSubkeyspaceitem("cart:7", "total", { handler });
  await notifications.subscribeSubkeyspaceevent("hset", "cart:*", { handler });
  const messages: [string, string][] = [
    ["__subkeyspace@0__:cart:7", "hset|5:total"],
    ["__subkeyspace@0__:cart:8", "hset|5:total"],
    ["__subkeyevent@0__:hdel", "6:cart:9|1:f"],
    ["__subkeyevent@0__:hset", "6:cart:9|1:f"],
    ["__subkeyspaceitem@0__:cart:7\ntotal", "hset"],
    ["__subkeyspaceitem@0__:cart:7\nother", "hset"],
    ["__subkeyspaceevent@0__:hset|cart:8", "1:g"],
    ["__subkeyspaceevent@0__:hdel|cart:8", "1:g"],
    // What is malformed reaches nobody.
    ["__subkeyspace@0__:cart:7", "hset|6:total"],
    ["__subkeyevent@0__:hdel", "done"],
    ["__subkeyevent@0__:hdel", "4:done|1:x"],
  ];
  for (const [channel, data] of messages) await server.command("PUBLISH", channel, data);
  await until("the last one has come", () => heard.at(-1)?.includes("done") === true);
  assertEquals(heard, [
    "subkeyspace cart:7 total",
    "subkeyevent cart:9 f",
    "subkeyspaceitem cart:7 total",
    "subkeyspaceevent cart:8 g",
    "subkeyevent done x",
  ]);
});
