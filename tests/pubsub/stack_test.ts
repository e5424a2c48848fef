/** Where the stacks of errors begin: at the line that called the public method. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ClusterKeyspaceNotifications, connect, KeyspaceNotifications } from "../../mod.ts";
import { open } from "../../pubsub/connection/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** The first line of the stack of an error, and the last line of its message. */
async function firstCall(call: () => Promise<unknown>): Promise<{ at: string; message: string }> {
  const { stack, name, message } = await assertRejects(call, Error);
  const head = `${name}: ${message}\n`;
  assert(stack!.startsWith(head), stack);
  return { at: stack!.slice(head.length).split("\n")[0]!, message };
}

Deno.test("the stack of what a public method throws begins at its caller's line", async () => {
  // Its flags are empty.
  await using server = new FakeServer(([name]) =>
    name === "CONFIG" ? "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n" : undefined
  );
  const closed = await connect(server.url);
  await closed.close();
  await using notifications = await connect(server.url);
  const nowhere = "redis://127.0.0.1:1";
  const timeout = { db: -1 };
  const calls: [name: string, call: () => Promise<unknown>][] = [
    ["connect", () => connect(nowhere)],
    ["connect to several", () => connect([nowhere, "redis://127.0.0.1:2"])],
    ["connect with a wrong option", () => connect(nowhere, { timeout: -1 })],
    ["KeyspaceNotifications.connect", () => KeyspaceNotifications.connect(nowhere)],
    ["ClusterKeyspaceNotifications", () => ClusterKeyspaceNotifications.connect([nowhere])],
    ["open", () => open(nowhere)],
    ["subscribe", () => notifications.subscribe("__keyspace@0__:k")],
    ["subscribe to no channel", () => notifications.subscribe("news")],
    ["subscribeKeyspace", () => notifications.subscribeKeyspace("k")],
    ["subscribeKeyspace with a wrong db", () => notifications.subscribeKeyspace("k", timeout)],
    ["subscribeKeyevent", () => notifications.subscribeKeyevent("set")],
    ["subscribeSubkeyspace", () => notifications.subscribeSubkeyspace("k")],
    ["subscribeSubkeyevent", () => notifications.subscribeSubkeyevent("hset")],
    ["subscribeSubkeyspaceitem", () => notifications.subscribeSubkeyspaceitem("k", "f")],
    ["subscribeSubkeyspaceevent", () => notifications.subscribeSubkeyspaceevent("hset", "k")],
    ["subscribe when closed", () => closed.subscribeKeyspace("k")],
    ["unsubscribe", () => notifications.unsubscribe(5 as unknown as string)],
  ];
  for (const [name, call] of calls) {
    const { at } = await firstCall(call);
    assertMatch(at, /^ {4}at .*\/stack_test\.ts:\d+:\d+\)?$/, name);
  }
});

Deno.test("the reason of a signal keeps the stack that the program gave it", async () => {
  await using server = new FakeServer(([name]) => name === "SUBSCRIBE" ? null : undefined);
  await using notifications = await connect(server.url, { flags: "ignore" });
  const reason = new Error("enough");
  const { stack } = reason;
  const stop = new AbortController();
  const call = notifications.subscribeKeyspace("k", { signal: stop.signal });
  stop.abort(reason);
  assertEquals((await assertRejects(() => call, Error)).stack, stack);
});
