/** Which database a channel is of when none is named: always the URL's. */
import { assertEquals } from "@std/assert";
import { connect, KeyeventChannel, KeyspaceChannel } from "../../mod.ts";
import { open } from "../../pubsub/connection/mod.ts";
import { startServer } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

Deno.test("a channel without a database is of the URL's, however it was made", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(`${server.url}/3`);
  await notifications.subscribeKeyspace("a:*");
  const { channels } = await notifications.subscribe(
    new KeyspaceChannel("b:*"),
    KeyspaceChannel.exact("c*"),
    KeyeventChannel.allEvents(),
    new KeyspaceChannel("d", { db: 0 }),
    new KeyspaceChannel("e", { db: "*" }),
    "__keyspace@0__:f",
  );
  const expected = [
    "__keyspace@3__:b:*",
    "__keyspace@3__:c*",
    "__keyevent@3__:*",
    "__keyspace@0__:d",
    "__keyspace@*__:e",
    "__keyspace@0__:f",
  ];
  assertEquals(channels.map(String), expected);
  assertEquals(channels.map((channel) => channel.isPattern), [
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
  assertEquals((channels[0] as KeyspaceChannel).db, 3);
  const { subscriptions } = notifications.status().nodes[0]!;
  assertEquals(subscriptions.toSorted(), [...expected, "__keyspace@3__:a:*"].toSorted());
  await notifications.unsubscribe(new KeyspaceChannel("a:*"), KeyspaceChannel.exact("c*"));
  assertEquals(
    notifications.status().nodes[0]!.subscriptions.toSorted(),
    expected.filter((name) => name !== "__keyspace@3__:c*").toSorted(),
  );
});

Deno.test("a channel by itself is of database 0, and is not changed by a subscription", async () => {
  await using server = await startServer(TALKATIVE);
  const channel = new KeyspaceChannel("a:*");
  await using notifications = await connect(`${server.url}/3`);
  await notifications.subscribe(channel);
  assertEquals(`${channel}`, "__keyspace@0__:a:*");
});

Deno.test("one connection has the same rule", async () => {
  await using server = await startServer(TALKATIVE);
  await using connection = await open(`${server.url}/3`);
  await connection.subscribe(new KeyspaceChannel("a"), new KeyspaceChannel("b", { db: 0 }));
  const channels = await server.command("PUBSUB", "CHANNELS") as string[];
  assertEquals(channels.toSorted(), ["__keyspace@0__:b", "__keyspace@3__:a"]);
  await connection.unsubscribe(new KeyspaceChannel("a"));
  assertEquals(await server.command("PUBSUB", "CHANNELS"), ["__keyspace@0__:b"]);
});
