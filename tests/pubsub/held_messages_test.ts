import { assertEquals } from "@std/assert";
import { MessageReceiver } from "../../pubsub/connection/receiver.ts";
import { HeldMessages } from "../../pubsub/held_messages.ts";

const FRAME = {
  bytes: new TextEncoder().encode("__keyspace@0__:kset"),
  patternStart: -1,
  patternEnd: -1,
  channelStart: 0,
  channelEnd: 16,
  payloadStart: 16,
  payloadEnd: 19,
};

Deno.test("messages that were held, and calls between them, come in order with their own times", () => {
  const held = new HeldMessages({ items: 10, bytes: 1_000 });
  const receiver = new MessageReceiver();
  const came: string[] = [];
  const note = (what: string) => came.push(`${what} ${receiver.receivedAt} ${receiver.sentAfter}`);
  const call = () => void note("call");
  held.mark(call, 10, 9);
  held.mark(call, 20, 19);
  held.hold(FRAME, 30, 29);
  held.mark(call, 40, 39);
  held.release(receiver, () => void note("message"), new AbortController().signal);
  assertEquals(came, ["call 10 9", "message 30 29", "call 40 39"]);
});
