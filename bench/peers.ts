/** The clients that are measured, each loaded only where it is used. */
import process from "node:process";
import type { KeyNotification } from "../mod.ts";

/** The packages, as npm is asked for them. */
export const PEERS = {
  redis: "redis@6.3.1",
  ioredis: "ioredis@6.0.0",
  iovalkey: "iovalkey@0.4.0",
  glide: "@valkey/valkey-glide@2.5.2",
};

/** Takes what a notification says. */
export type Take = (key: string, event: string) => void;

/** Watches patterns, each of keyspace or keyevent channels; the other ends it. */
export type Watch = (
  port: number,
  patterns: readonly string[],
  take: Take,
) => Promise<() => Promise<unknown>>;

/** What to show in place of each name. */
export const TITLES: Readonly<Record<ClientName, string>> = {
  handler: "this library, handler",
  listen: "this library, `listen`",
  batches: "this library, `batches`",
  redis: "`redis`",
  ioredis: "`ioredis`",
  iovalkey: "`iovalkey`",
  glide: "`@valkey/valkey-glide`",
  bun: "Bun's `RedisClient`",
};

/** A client, and how it is used. */
export type ClientName =
  | ("handler" | "listen" | "batches")
  | ("redis" | "ioredis" | "iovalkey" | "glide" | "bun");

export const CLIENTS: Readonly<Record<ClientName, Watch>> = {
  async handler(port, patterns, take) {
    const notifications = await open(port);
    const handler = (one: KeyNotification) => take(one.key, one.eventType);
    await notifications.subscribe(...patterns, { handler });
    return () => notifications.close();
  },

  async listen(port, patterns, take) {
    const notifications = await open(port);
    await notifications.subscribe(...patterns);
    const loop = async () => {
      for await (const one of notifications.listen()) take(one.key, one.eventType);
    };
    loop().catch(fail);
    return () => notifications.close();
  },

  async batches(port, patterns, take) {
    const notifications = await open(port);
    await notifications.subscribe(...patterns);
    const loop = async () => {
      for await (const batch of notifications.batches()) {
        for (const one of batch) take(one.key, one.eventType);
      }
    };
    loop().catch(fail);
    return () => notifications.close();
  },

  async redis(port, patterns, take) {
    const { createClient } = await import("redis");
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    client.on("error", fail);
    await client.connect();
    await client.pSubscribe(
      [...patterns],
      (payload: string, channel: string) => read(channel, payload, take),
    );
    return () => Promise.resolve(client.destroy());
  },

  async ioredis(port, patterns, take) {
    const { Redis } = await import("ioredis");
    return await ioredis(new Redis(port, "127.0.0.1"), patterns, take);
  },

  async iovalkey(port, patterns, take) {
    const { Redis } = await import("iovalkey");
    return await ioredis(new Redis(port, "127.0.0.1"), patterns, take);
  },

  async glide(port, patterns, take) {
    const { GlideClient, GlideClientConfiguration: { PubSubChannelModes } } = await import(
      "@valkey/valkey-glide"
    );
    const client = await GlideClient.createClient({
      addresses: [{ host: "127.0.0.1", port }],
      pubsubSubscriptions: {
        channelsAndPatterns: { [PubSubChannelModes.Pattern]: new Set(patterns) },
        callback: ({ channel, message }: { channel: string; message: string }) => {
          read(channel, message, take);
        },
      },
    });
    return () => Promise.resolve(client.close());
  },

  // It subscribes no patterns, so it gets one of the two notifications of a write.
  async bun(port, _patterns, take) {
    const { Bun } = globalThis as unknown as { Bun: { RedisClient: BunRedisClient } };
    const client = new Bun.RedisClient(`redis://127.0.0.1:${port}`);
    await client.subscribe(
      "__keyevent@0__:set",
      (payload, channel) => read(channel, payload, take),
    );
    return () => Promise.resolve(client.close());
  },
};

interface BunRedisClient {
  new (url: string): {
    subscribe(channel: string, take: (payload: string, channel: string) => void): Promise<unknown>;
    close(): void;
  };
}

async function open(port: number) {
  const { connect } = await import("../mod.ts");
  return await connect(`redis://127.0.0.1:${port}`, {
    // What is dropped would not be counted: then the program does not end, and that is noticed.
    onGap: fail,
    onError: fail,
  });
}

interface Ioredis {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(
    event: "pmessage",
    listener: (pattern: string, channel: string, payload: string) => void,
  ): void;
  psubscribe(...patterns: string[]): Promise<unknown>;
  disconnect(): void;
}

async function ioredis(client: Ioredis, patterns: readonly string[], take: Take) {
  client.on("error", fail);
  client.on("pmessage", (_, channel, payload) => read(channel, payload, take));
  await client.psubscribe(...patterns);
  return () => Promise.resolve(client.disconnect());
}

/** As a user of a client does that gives only texts. */
function read(channel: string, payload: string, take: Take): void {
  const name = channel.slice(channel.indexOf("__:") + 3);
  if (channel.startsWith("__keyspace@")) take(name, payload);
  else take(payload, name);
}

function fail(reason: unknown): never {
  console.error(reason);
  process.exit(1);
}
