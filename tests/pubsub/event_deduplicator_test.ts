import { assertEquals } from "@std/assert";
import { EventDeduplicator } from "../../pubsub/event_deduplicator.ts";
import type { MessageFrame } from "../../resp/mod.ts";

function frame(channel: string, payload: string): MessageFrame {
  const bytes = new TextEncoder().encode(`..${channel}${payload}`);
  const channelEnd = 2 + channel.length;
  return {
    bytes,
    patternStart: -1,
    patternEnd: -1,
    channelStart: 2,
    channelEnd,
    payloadStart: channelEnd,
    payloadEnd: bytes.length,
  };
}

/** Who wants what is sent for each subscription. */
const USERS: Record<string, string[]> = { p3: ["reader", "other"] };

function subscribed(id: string) {
  return { pattern: id.startsWith("p") ? id : null, users: USERS[id] ?? ["reader"] };
}

/** Messages as `subscription channel payload`; gives back those that the consumer was given. */
function given(
  deduplicator: EventDeduplicator<string>,
  consumer: string,
  ...messages: string[]
): string[] {
  return messages.filter((message) => {
    const [id = "", channel = "", payload = ""] = message.split(" ");
    const begins = deduplicator.isNewEvent(subscribed(id), frame(channel, payload));
    return subscribed(id).users.includes(consumer) &&
      (begins || !deduplicator.hasReceived(consumer));
  });
}

function served(deduplicator: EventDeduplicator<string>, ...messages: string[]): string[] {
  return given(deduplicator, "reader", ...messages);
}

Deno.test("further matches of one event are not served again", () => {
  const deduplicator = new EventDeduplicator<string>();
  assertEquals(
    served(deduplicator, "exact ch set", "p1 ch set", "p2 ch set", "p1 other set", "p2 other set"),
    ["exact ch set", "p1 other set"],
  );
});

Deno.test("the same event twice is two events", () => {
  const deduplicator = new EventDeduplicator<string>();
  const twice = ["p1 ch set", "p2 ch set", "p1 ch set", "p2 ch set"];
  let events = 0;
  for (const message of twice) events += served(deduplicator, message).length;
  assertEquals(events, 2);
});

Deno.test("an exact channel matches an event once, though others want it meanwhile", () => {
  const deduplicator = new EventDeduplicator<string>();
  const subscribers = () => ({ pattern: null, users: ["reader"] });
  assertEquals(deduplicator.isNewEvent(subscribers(), frame("ch", "set")), true);
  assertEquals(deduplicator.isNewEvent(subscribers(), frame("ch", "set")), true);
});

Deno.test("another payload or channel of the same length is another event", () => {
  const deduplicator = new EventDeduplicator<string>();
  assertEquals(served(deduplicator, "p1 ch set", "p2 ch del", "p1 hc del").length, 3);
});

Deno.test("each consumer is given the event once, for the first channel it wants", () => {
  const messages = ["p1 ch set", "p3 ch set", "p1 ch set"];
  assertEquals(given(new EventDeduplicator<string>(), "reader", ...messages), [
    "p1 ch set",
    "p1 ch set",
  ]);
  assertEquals(given(new EventDeduplicator<string>(), "other", ...messages), ["p3 ch set"]);
});

Deno.test("after the subscriptions changed the next message begins an event", () => {
  const deduplicator = new EventDeduplicator<string>();
  assertEquals(served(deduplicator, "p1 ch set").length, 1);
  deduplicator.reset();
  assertEquals(served(deduplicator, "p2 ch set").length, 1);
});
