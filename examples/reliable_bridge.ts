/**
 * Handles events at least once. A bridge writes each notification into the stream `events`, where it
 * stays until a consumer of a group acknowledges it. If a consumer dies, another one takes over.
 *
 * The bridge also writes its gaps into the stream, and one at its start. So consumers know when to
 * check the keys themselves. Run one bridge and any number of consumers. The command
 * `keywatch forward --event expired --to-stream events` is such a bridge too.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const [STREAM, GROUP] = ["events", "workers"];
// About 100,000 entries are kept.
const TRIM = { strategy: "MAXLEN", strategyModifier: "~", threshold: 100_000 } as const;

/** Writes notifications and gaps into the stream until `options.signal` aborts. */
export async function bridge(
  url: string,
  redis: Redis,
  options: ConnectOptions = {},
): Promise<void> {
  const write = (entry: Record<string, string>) => redis.xAdd(STREAM, "*", entry, { TRIM });
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await write({ kind: "gap", reason: "the bridge was started" });
  for await (const item of notifications.listen({ gaps: true })) {
    await write(
      item.kind === "gap"
        ? { kind: "gap", reason: item.reason, from: `${item.from}`, to: `${item.to}` }
        : { kind: "event", event: item.eventType, key: item.key, at: `${item.timestamp}` },
    );
  }
}

/**
 * Calls `handle` for each entry, and again if it failed here or elsewhere, until the signal aborts.
 *
 * @param redis a connection of its own, because it blocks
 * @param patience after how many ms an entry of another consumer is taken over
 */
export async function consume(
  redis: Redis,
  name: string,
  handle: (entry: Record<string, string>) => unknown,
  { patience = 60_000, signal }: { patience?: number; signal?: AbortSignal } = {},
): Promise<void> {
  async function perform(id: string, entry: Record<string, string>): Promise<void> {
    try {
      await handle({ ...entry });
      await redis.xAck(STREAM, GROUP, id);
    } catch (error) {
      console.error(`${name} could not handle ${id} · it is tried again · ${error}`);
    }
  }
  await redis.xGroupCreate(STREAM, GROUP, "0", { MKSTREAM: true }).catch((error: Error) => {
    if (!error.message.startsWith("BUSYGROUP")) throw error;
  });
  const limits = { COUNT: 10, BLOCK: Math.min(1_000, patience) };
  while (!signal?.aborted) {
    const left = await redis.xAutoClaim(STREAM, GROUP, name, patience, "0", { COUNT: 10 });
    for (const one of left.messages) if (one !== null) await perform(one.id, one.message);
    const read = await redis.xReadGroup(GROUP, name, { key: STREAM, id: ">" }, limits);
    for (const { messages } of read ?? []) {
      for (const { id, message } of messages) await perform(id, message);
    }
  }
}

if (import.meta.main) {
  const print = ({ kind, key, event, reason }: Record<string, string>) =>
    console.log(kind === "gap" ? `gap · ${reason} · check the keys` : `${event} ${key} · handled`);
  await Promise.all([
    bridge(REDIS_URL, await openRedis()),
    consume(await openRedis(), "the consumer", print),
  ]);
}
