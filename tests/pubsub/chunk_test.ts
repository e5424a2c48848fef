import { assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Connection, type ConnectionEvents } from "../../pubsub/connection.ts";
import type { Transport } from "../../pubsub/transport.ts";
import { resolveLimits } from "../../resp/limits.ts";
import type { MessageFrame } from "../../resp/mod.ts";

const MESSAGE = ">3\r\n$7\r\nmessage\r\n$18\r\n__keyspace@0__:key\r\n$3\r\nset\r\n";

/** Gives a connection these chunks, and what it says of each message. */
async function read(chunks: readonly Uint8Array[]): Promise<MessageFrame[]> {
  const left = [...chunks];
  const transport: Transport = {
    read: () => Promise.resolve(left.shift() ?? null),
    write: () => Promise.resolve(),
    close() {},
  };
  const frames: MessageFrame[] = [];
  const closed = Promise.withResolvers<void>();
  const events: ConnectionEvents = {
    onMessage: (frame) => frames.push({ ...frame }),
    onConfirmed() {},
    onRead: () => null,
    onClose: () => closed.resolve(),
  };
  await Connection.open({
    address: { hostname: "server", port: 1 },
    dial: () => Promise.resolve(transport),
    timeout: 1000,
    limits: resolveLimits({}),
    signal: new AbortController().signal,
    events,
  });
  await closed.promise;
  return frames;
}

Deno.test("a message stands in its chunk, which is not copied, also when that is a Buffer", async () => {
  for (
    const chunk of [new TextEncoder().encode(MESSAGE + MESSAGE), Buffer.from(MESSAGE + MESSAGE)]
  ) {
    const frames = await read([chunk]);
    assertEquals(frames.length, 2);
    for (const frame of frames) assertStrictEquals(frame.bytes.buffer, chunk.buffer);
  }
});

Deno.test("a message that two chunks share has memory of its own", async () => {
  const bytes = Buffer.from(MESSAGE + MESSAGE);
  const cut = MESSAGE.length + 20;
  const frames = await read([bytes.subarray(0, cut), bytes.subarray(cut), bytes]);
  assertEquals(frames.length, 4);
  const [, second, third] = frames.map(({ bytes, channelStart, payloadEnd }) =>
    new TextDecoder().decode(bytes.subarray(channelStart, payloadEnd))
  );
  assertEquals(second, "__keyspace@0__:key\r\n$3\r\nset");
  assertEquals(second, third);
});
