/** The types of `eventType`: of a subscription to one event, and narrowed by a comparison. */
import { assertEquals } from "@std/assert";
import { EventType, isKnownEvent } from "../../events/mod.ts";
import { connect, KeyNotification, type KnownEvent, type ReceivedEvent } from "../../mod.ts";
import { startServer } from "../servers/mod.ts";

/** Compiles only if both types are the same. */
function same<A>() {
  return <B>(_value: B & ([A] extends [B] ? [B] extends [A] ? B : never : never)) => {};
}

Deno.test("the handler of one event has its type, and of a pattern any", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyevent("expired", {
    handler: ({ eventType }) => same<"expired">()(eventType),
  });
  await notifications.subscribeKeyevent(EventType.DEL, {
    batchHandler: ([first]) => same<"del">()(first!.eventType),
  });
  await notifications.subscribeKeyevent("ex*", {
    handler: ({ eventType }) => same<ReceivedEvent>()(eventType),
  });
  await notifications.subscribeKeyevent("ex", {
    as: "prefix",
    handler: ({ eventType }) => same<ReceivedEvent>()(eventType),
  });
  const any: string = "set";
  await notifications.subscribeKeyevent(any, {
    handler: ({ eventType }) => same<ReceivedEvent>()(eventType),
  });
});

Deno.test("a comparison narrows the type, and one with a misspelt event does not compile", () => {
  const { eventType } = KeyNotification.tryParse("__keyevent@0__:set", "k")!;
  if (eventType === "set") same<"set">()(eventType);
  // @ts-expect-error: no server and no module sends it.
  if (eventType === "expirred") throw new Error("it is set");
  if (eventType === "json.set") same<"json.set">()(eventType);
  const isGone = (event: ReceivedEvent): boolean => {
    switch (event) {
      case "del":
        same<"del">()(event);
        return true;
      default:
        return false;
    }
  };
  assertEquals(isGone(eventType), false);
});

Deno.test("isKnownEvent knows the events of servers, and narrows the type", () => {
  const event: string = KeyNotification.tryParse("__keyevent@0__:set", "k")!.eventType;
  assertEquals(isKnownEvent(event), true);
  if (isKnownEvent(event)) same<KnownEvent>()(event);
  for (const name of ["json.set", "SET", "incr", "constructor", ""]) {
    assertEquals(isKnownEvent(name), false);
  }
  assertEquals(Object.values(EventType).every(isKnownEvent), true);
});
