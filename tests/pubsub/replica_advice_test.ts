import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { Channel, KeyspaceChannel } from "../../parse/mod.ts";
import { adviseOnReplica } from "../../pubsub/advice.ts";
import { type TestServer, until } from "../servers/mod.ts";
import { follow, promote, startPair } from "./pair.ts";

/** The events of which it is warned that a replica does not send them. */
function missed(isPattern: boolean, ...channels: string[]): string[] {
  const warnings: string[] = [];
  const all = channels.map((name) => new Channel(new TextEncoder().encode(name), isPattern));
  adviseOnReplica(all, new Set(), (warning) => warnings.push(warning));
  return warnings.map((warning) => /does not get "([^"]+)" from a replica/.exec(warning)![1]!);
}

Deno.test("it is warned of each event that replicas send under another name, or not at all, once", () => {
  const names = [
    "expired",
    "evicted",
    "hexpired",
    "spop",
    "incrbyfloat",
    "hincrbyfloat",
    "keymiss",
  ];
  assertEquals(missed(false, ...names.map((name) => `__keyevent@0__:${name}`)), names);
  assertEquals(
    missed(false, ...["set", "del", "expire"].map((name) => `__keyevent@0__:${name}`)),
    [],
  );
  assertEquals(missed(false, "__keyevent@0__:expired", "__keyevent@1__:expired"), ["expired"]);
  assertEquals(missed(false, "__subkeyevent@0__:hexpired", "__keyspace@0__:expired"), ["hexpired"]);
  assertEquals(missed(false, "__subkeyspaceevent@0__:hincrbyfloat|k"), ["hincrbyfloat"]);
});

Deno.test("it is warned of the events that a subscription to keys takes alone", () => {
  const { bytes, isPattern } = KeyspaceChannel.prefix("user:");
  const warningsOf = (...events: string[]) => {
    const warnings: string[] = [];
    const users = [{}, { events }];
    adviseOnReplica([{ bytes, isPattern, users }], new Set(), (text) => warnings.push(text));
    return warnings;
  };
  assertEquals(warningsOf("expired"), [
    '"__keyspace@0__:user:*" does not get "expired" from a replica, which sends "del" instead; ' +
    "watch the primary to get it",
  ]);
  assertEquals(warningsOf("expired", "del"), []);
  assertEquals(warningsOf("keymiss", "del").length, 1);
});

for (
  const [pattern, ...events] of [
    ["__keyevent@*__:expired", "expired"],
    ["__key*__:expired", "expired"],
    ["__keyevent@0__:expire*", "expired"],
    ["__keyevent@0__:e*", "expired", "evicted"],
    ["__keyevent@0__:*byfloat", "incrbyfloat", "hincrbyfloat"],
    ["__keyevent@0__:keymis?", "keymiss"],
    // What comes instead is included.
    ["__keyevent@0__:*"],
    ["__keyevent@*__:h*"],
    ["__keyevent@0__:[sd]*"],
    ["__key*__:*"],
    ["*"],
    // Of keys, all events come, under whatever name.
    ["__keyspace@0__:*"],
    ["__keyspace@0__:expired*"],
  ] as const
) {
  Deno.test(`on a replica, ${pattern} misses ${events.join(", ") || "nothing"}`, () => {
    assertEquals(missed(true, pattern), events);
  });
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: on a replica it is warned of what does not come from there`, async () => {
    await using pair = await startPair();
    const [primary, replica] = pair.servers as [TestServer, TestServer];
    const warnings: string[] = [];
    const options = { protocol, onWarning: (warning: string) => warnings.push(warning) };
    await using notifications = await connect(replica.url, options);
    await notifications.subscribeKeyevent("expired");
    await notifications.subscribeKeyevent("expired");
    await notifications.subscribeKeyevent("del");
    assertEquals(warnings, [
      '"__keyevent@0__:expired" does not get "expired" from a replica, which sends "del" instead; ' +
      "watch the primary to get it",
    ]);
    await primary.command("SET", "k", "x", "PX", 1);
    await until("it is gone", async () => await primary.command("EXISTS", "k") === 0);
    const { eventType, key } = (await notifications.getMessage({ timeout: 20_000 }))!;
    assertEquals([eventType, key], ["del", "k"]);
    await using other = await connect(primary.url, options);
    await other.subscribeKeyevent("expired");
    assertEquals(warnings.length, 1);
  });

  Deno.test(`RESP${protocol}: it is warned of that too when the server becomes a replica`, async () => {
    await using pair = await startPair();
    const [primary, replica] = pair.servers as [TestServer, TestServer];
    await promote(replica);
    const warnings: string[] = [];
    await using notifications = await connect(replica.url, {
      protocol,
      heartbeat: { interval: 50 },
      onWarning: (warning) => warnings.push(warning),
    });
    await notifications.subscribeKeyevent("spop");
    await notifications.subscribeKeyspace("k");
    assertEquals(warnings, []);
    await follow(replica, primary);
    await until("it is noticed", () => warnings.length === 2);
    assert(warnings[0]!.includes("was a primary and is a replica now"), warnings[0]);
    assert(warnings[1]!.includes('does not get "spop" from a replica'), warnings[1]);
  });
}
