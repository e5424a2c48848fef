import { assertEquals } from "@std/assert";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import { channelId, SubscriptionRegistry } from "../../pubsub/subscription_registry.ts";

const encoder = new TextEncoder();

function channel(name: string, isPattern = false): ServerChannel {
  return { bytes: encoder.encode(name), isPattern };
}

Deno.test("a channel stays desired until its last user has left", () => {
  const registry = new SubscriptionRegistry<string>();
  registry.add(channel("a"), "ana");
  registry.add(channel("a"), "bo");
  assertEquals(registry.size, 1);
  registry.add(channel("a"), "bo");
  assertEquals([...registry.values()][0]!.users, ["ana", "bo"]);
  registry.remove(channel("a"), "ana");
  registry.remove(channel("a"), "ana");
  registry.remove(channel("a"), "bo");
  assertEquals(registry.size, 1);
  registry.remove(channel("a"), "bo");
  assertEquals(registry.size, 0);
  assertEquals(registry.findExact(encoder.encode("a"), 0, 1), undefined);
});

Deno.test("channels of one user do not share what becomes of one of them", () => {
  const registry = new SubscriptionRegistry<string>();
  const usersOf = (name: string) => registry.findExact(encoder.encode(name), 0, name.length)?.users;
  for (const name of ["a", "b", "c"]) registry.add(channel(name), "ana");
  registry.add(channel("a"), "bo");
  registry.remove(channel("b"), "ana");
  assertEquals([usersOf("a"), usersOf("b"), usersOf("c")], [["ana", "bo"], undefined, ["ana"]]);
  registry.add(channel("b"), "bo");
  registry.remove(channel("a"), "ana");
  assertEquals([usersOf("a"), usersOf("b"), usersOf("c")], [["bo"], ["bo"], ["ana"]]);
});

Deno.test("exact channels that one user alone wants have one subscribers, patterns one each", () => {
  const registry = new SubscriptionRegistry<string>();
  for (const name of ["a", "b"]) {
    registry.add(channel(name), "ana");
    registry.add(channel(name, true), "ana");
  }
  const bytes = encoder.encode("ab");
  assertEquals(registry.findExact(bytes, 0, 1) === registry.findExact(bytes, 1, 2), true);
  assertEquals(registry.findPattern(bytes, 0, 1)!.pattern, channelId(channel("a", true)));
  assertEquals(registry.findPattern(bytes, 1, 2)!.pattern, channelId(channel("b", true)));
});

Deno.test("a pattern and an exact channel of the same bytes are two", () => {
  const registry = new SubscriptionRegistry<string>();
  registry.add(channel("a*", true), "ana");
  registry.add(channel("a*", false), "bo");
  assertEquals(registry.size, 2);
  const bytes = encoder.encode("a*");
  assertEquals(registry.findPattern(bytes, 0, 2)!.users, ["ana"]);
  assertEquals(registry.findExact(bytes, 0, 2)!.users, ["bo"]);
});

Deno.test("a watcher learns of each channel that comes or goes, and first of all that are there", () => {
  const registry = new SubscriptionRegistry<string>();
  registry.add(channel("a"), "ana");
  const changed = registry.watch();
  assertEquals([...changed], ["sa"]);
  changed.clear();
  registry.add(channel("a"), "bo");
  registry.remove(channel("a"), "ana");
  assertEquals([...changed], []);
  registry.add(channel("b", true), "ana");
  registry.remove(channel("a"), "bo");
  assertEquals([...changed], ["pb", "sa"]);
  registry.unwatch(changed);
  registry.add(channel("c"), "ana");
  assertEquals(changed.size, 2);
});

Deno.test("channelId distinguishes bytes that are not text", () => {
  const one = { bytes: Uint8Array.of(0xff), isPattern: false };
  const two = { bytes: Uint8Array.of(0xfe), isPattern: false };
  assertEquals(channelId(one) === channelId(two), false);
});

Deno.test("a pattern is found wherever it stands, also after it was removed and added again", () => {
  const registry = new SubscriptionRegistry<string>();
  const names = ["__keyspace@0__:a*", "__keyspace@0__:b*", "__keyevent@0__:*", "*", "abc"];
  const stream = encoder.encode(`..${names.join("")}`);
  const usersOf = (name: string) => {
    const start = 2 + names.join("").indexOf(name);
    return registry.findPattern(stream, start, start + name.length)?.users;
  };
  for (const name of names) registry.add(channel(name, true), `user of ${name}`);
  // Each pattern comes after each other one.
  for (let step = 1; step <= names.length; step++) {
    for (let at = 0; at < 20; at++) {
      const name = names[at * step % names.length]!;
      assertEquals(usersOf(name), [`user of ${name}`]);
    }
  }
  const [first, second] = names as [string, string];
  for (const name of [first, second, first, second]) usersOf(name);
  registry.remove(channel(second, true), `user of ${second}`);
  assertEquals(usersOf(first), [`user of ${first}`]);
  assertEquals(usersOf(second), undefined);
  registry.add(channel(second, true), "another");
  assertEquals(usersOf(first), [`user of ${first}`]);
  assertEquals(usersOf(second), ["another"]);
  registry.add(channel(first, true), "one more");
  assertEquals(usersOf(first), [`user of ${first}`, "one more"]);
});

Deno.test("of patterns that come and go, at most the last one is kept", () => {
  const registry = new SubscriptionRegistry<string>();
  const lasting = registry.add(channel("lasting*", true), "ana");
  const find = (name: string) => registry.findPattern(encoder.encode(name), 0, name.length);
  const removed = Array.from({ length: 10 }, (_, n) => {
    const name = `${n}*`;
    const desired = registry.add(channel(name, true), "bo");
    find("lasting*");
    find(name);
    if (n % 2 === 0) find(name);
    registry.remove(channel(name, true), "bo");
    return desired;
  });
  assertEquals(removed.map(({ next }) => next), removed.map(() => null));
  assertEquals(lasting.next === removed.at(-1), true);
  // Also where nothing else comes between.
  const [first, second] = ["first*", "second*"].map((name) => {
    const desired = registry.add(channel(name, true), "bo");
    find(name);
    registry.remove(channel(name, true), "bo");
    return desired;
  });
  assertEquals([first!.next, second!.next], [null, null]);
});

Deno.test("channels that one event may come for overlap", () => {
  const registry = new SubscriptionRegistry<string>();
  const overlapsWith = (name: string, isPattern = false) => {
    registry.add(channel(name, isPattern), "ana");
    return registry.hasOverlaps;
  };
  assertEquals(overlapsWith("__keyspace@0__:a"), false);
  assertEquals(overlapsWith("__keyspace@0__:b"), false);
  assertEquals(overlapsWith("__keyevent@0__:*", true), true);
  for (const name of "ab") registry.remove(channel(`__keyspace@0__:${name}`), "ana");
  assertEquals(registry.hasOverlaps, false);
  assertEquals(overlapsWith("__keyspace@0__:*", true), false);
  assertEquals(overlapsWith("__keyspace@1__:*", true), false);
  assertEquals(overlapsWith("__keyspace@1__:a*", true), true);
  registry.remove(channel("__keyspace@1__:a*", true), "ana");
  assertEquals(registry.hasOverlaps, false);
  assertEquals(overlapsWith("__key*@2__:*", true), true);
});

Deno.test("exact channels have one subscribers, too, where one user took another's place", () => {
  const registry = new SubscriptionRegistry<string>();
  const names = ["a", "b", "c"];
  for (const name of names) registry.add(channel(name), "nobody");
  for (const name of names) {
    registry.add(channel(name), "ana");
    registry.remove(channel(name), "nobody");
  }
  const bytes = encoder.encode("ab");
  const [first, second] = [registry.findExact(bytes, 0, 1), registry.findExact(bytes, 1, 2)];
  assertEquals(first?.users, ["ana"]);
  assertEquals(first === second, true);
  // Also where they are looked up.
  registry.remove(channel("c"), "ana");
  assertEquals(registry.findExact(bytes, 0, 1) === registry.findExact(bytes, 1, 2), true);
});

Deno.test("exact channels are distinguished once their users differ, or one was removed", () => {
  for (const change of ["user", "remove"] as const) {
    const registry = new SubscriptionRegistry<string>();
    const usersOf = (name: string) => registry.findExact(encoder.encode(name), 0, 1)?.users;
    assertEquals(usersOf("a"), undefined);
    for (const name of ["a", "b", "c"]) registry.add(channel(name), "ana");
    registry.add(channel("*", true), "bo");
    assertEquals([usersOf("a"), usersOf("b")], [["ana"], ["ana"]]);
    if (change === "user") registry.add(channel("b"), "bo");
    else registry.remove(channel("b"), "ana");
    const expected = change === "user" ? ["ana", "bo"] : undefined;
    assertEquals([usersOf("a"), usersOf("b"), usersOf("c")], [["ana"], expected, ["ana"]]);
    for (const name of ["a", "b", "c"]) registry.remove(channel(name), "ana");
    registry.add(channel("d"), "ana");
    // Messages of it may still come.
    assertEquals([usersOf("c"), usersOf("d")], [undefined, ["ana"]]);
  }
});
