import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Connection } from "../../../pubsub/connection/connection.ts";
import { dialServer } from "../../../pubsub/connection/handshake.ts";
import { MessageReceiver } from "../../../pubsub/connection/receiver.ts";
import type { Transport } from "../../../pubsub/connection/transport.ts";
import { resolveLimits } from "../../../resp/options.ts";
import type { MessageFrame } from "../../../resp/mod.ts";

const MESSAGE = ">3\r\n$7\r\nmessage\r\n$18\r\n__keyspace@0__:key\r\n$3\r\nset\r\n";

/** Feeds a connection these chunks, waits until it is closed, and returns the reason. */
async function feed(
  chunks: readonly Uint8Array[],
  onMessage: (frame: MessageFrame, connection: Connection) => void,
): Promise<Error> {
  const left = [...chunks];
  const opened = Promise.withResolvers<void>();
  const transport: Transport = {
    read: async () => {
      await opened.promise;
      return left.shift() ?? null;
    },
    write: () => Promise.resolve(),
    close() {},
  };
  const closed = Promise.withResolvers<Error>();
  const receive = (connection: Connection) => {
    const receiver = new MessageReceiver();
    receiver.message = (frame) => onMessage(frame, connection);
    receiver.closed = (reason) => closed.resolve(reason);
    return receiver;
  };
  await dialServer({
    address: { hostname: "server", port: 1 },
    dial: () => Promise.resolve(transport),
    timeout: 1000,
    limits: resolveLimits({}),
    signal: new AbortController().signal,
    receive,
  });
  opened.resolve();
  return await closed.promise;
}

/** Feeds a connection these chunks and returns the frames of its messages. */
async function read(chunks: readonly Uint8Array[]): Promise<MessageFrame[]> {
  const frames: MessageFrame[] = [];
  await feed(chunks, (frame) => frames.push({ ...frame }));
  return frames;
}

/** Counts how many bytes of a chunk are read one at a time. */
function watched(bytes: Uint8Array): { readonly chunk: Uint8Array; looked(): number } {
  let looked = 0;
  const chunk = new Proxy(bytes, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) looked++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });
  return { chunk, looked: () => looked };
}

Deno.test("stops reading a chunk at the first reply that no command asked for", async () => {
  for (const flood of ["-\r\n", "+OK\r\n", "*1\r\n-ERR\r\n", "|1\r\n+a\r\n:1\r\n-\r\n"]) {
    const { chunk, looked } = watched(new TextEncoder().encode(flood.repeat(10_000)));
    const reason = await feed([chunk, chunk], () => {});
    assertEquals(reason.name, "ConnectError");
    assert(looked() < 100, `${looked()} bytes of ${JSON.stringify(flood)} were looked at`);
  }
});

Deno.test("stops reading a chunk when a message handler closes the connection", async () => {
  for (const then of [MESSAGE, "-\r\n", ">1\r\n+x\r\n", "+OK\r\n"]) {
    const { chunk, looked } = watched(new TextEncoder().encode(MESSAGE + then.repeat(10_000)));
    let messages = 0;
    const reason = await feed([chunk, chunk], (_, connection) => {
      messages++;
      connection.close(new Error("enough"));
    });
    assertEquals([messages, reason.message], [1, "enough"]);
    assert(looked() < 200, `${looked()} bytes were looked at before ${JSON.stringify(then)}`);
  }
});

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

Deno.test("messages that chunks share, one after the other, have memory of their own", async () => {
  const messages = ["one", "two", "six"].map((key) => MESSAGE.replace(":key", `:${key}`));
  const bytes = new TextEncoder().encode(messages.join(""));
  // Each piece ends in the middle of a message.
  const places = [0, 1, 2, 3].map((n) => Math.min(bytes.length, n * MESSAGE.length + 30));
  const pieces = places.map((place, n) => bytes.slice(places[n - 1] ?? 0, place));
  const keys = (await read(pieces)).map(({ bytes, channelEnd }) =>
    new TextDecoder().decode(bytes.subarray(channelEnd - 3, channelEnd))
  );
  assertEquals(keys, ["one", "two", "six"]);
});
