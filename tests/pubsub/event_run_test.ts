import { assertEquals } from "@std/assert";
import { EventRun } from "../../pubsub/event_run.ts";
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
function given(run: EventRun<string>, consumer: string, ...messages: string[]): string[] {
  return messages.filter((message) => {
    const [id = "", channel = "", payload = ""] = message.split(" ");
    const begins = run.begins(subscribed(id), frame(channel, payload));
    return subscribed(id).users.includes(consumer) && (begins || !run.served(consumer));
  });
}

function served(run: EventRun<string>, ...messages: string[]): string[] {
  return given(run, "reader", ...messages);
}

Deno.test("further matches of one event are not served again", () => {
  const run = new EventRun<string>();
  assertEquals(
    served(run, "exact ch set", "p1 ch set", "p2 ch set", "p1 other set", "p2 other set"),
    ["exact ch set", "p1 other set"],
  );
});

Deno.test("the same event twice is two events", () => {
  const run = new EventRun<string>();
  const twice = ["p1 ch set", "p2 ch set", "p1 ch set", "p2 ch set"];
  let events = 0;
  for (const message of twice) events += served(run, message).length;
  assertEquals(events, 2);
});

Deno.test("an exact channel matches an event once, though others want it meanwhile", () => {
  const run = new EventRun<string>();
  const subscribers = () => ({ pattern: null, users: ["reader"] });
  assertEquals(run.begins(subscribers(), frame("ch", "set")), true);
  assertEquals(run.begins(subscribers(), frame("ch", "set")), true);
});

Deno.test("another payload or channel of the same length is another event", () => {
  const run = new EventRun<string>();
  assertEquals(served(run, "p1 ch set", "p2 ch del", "p1 hc del").length, 3);
});

Deno.test("each consumer is given the event once, for the first channel it wants", () => {
  const messages = ["p1 ch set", "p3 ch set", "p1 ch set"];
  assertEquals(given(new EventRun<string>(), "reader", ...messages), ["p1 ch set", "p1 ch set"]);
  assertEquals(given(new EventRun<string>(), "other", ...messages), ["p3 ch set"]);
});

Deno.test("after the subscriptions changed the next message begins an event", () => {
  const run = new EventRun<string>();
  assertEquals(served(run, "p1 ch set").length, 1);
  run.end();
  assertEquals(served(run, "p2 ch set").length, 1);
});
