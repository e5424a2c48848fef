/**
 * Handles events at least once: a bridge writes each notification into the stream `events`, where it
 * stays until a consumer of a group has said that it is done with it. A consumer that dies between
 * taking and being done leaves its entries to the others; slow ones hold nothing up.
 *
 * What the server never sent to the bridge is not in the stream. So the bridge writes its gaps into
 * it too, at their place in the order, and one whenever it starts, for what happened since the last
 * entry: whoever consumes knows where to look for itself.
 *
 * Without a program of your own, `keywatch forward --event expired --to-stream events` is such a
 * bridge, which also writes again what the server of the stream did not confirm.
 *
 * Run one bridge, so that nothing is in the stream twice, and as many consumers as you like.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { pid } from "node:process";
import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const STREAM = "events";
const GROUP = "workers";
/** About how many entries are kept. */
const LENGTH = 100_000;

/** The bridge: from notifications into the stream, until `options.signal` ends it. */
export async function bridge(
  url: string,
  redis: Redis,
  options: ConnectOptions = {},
): Promise<void> {
  async function write(entry: Record<string, string>): Promise<void> {
    await redis.xAdd(STREAM, "*", entry, {
      TRIM: { strategy: "MAXLEN", strategyModifier: "~", threshold: LENGTH },
    });
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await write({ kind: "gap", reason: "the bridge was started" });
  for await (const item of notifications.listen({ gaps: true })) {
    await write(
      item.kind === "gap"
        ? { kind: "gap", reason: item.reason, from: String(item.from), to: String(item.to) }
        : { kind: "event", event: item.eventType, key: item.key, at: String(item.timestamp) },
    );
  }
}

/**
 * A consumer: calls `handle` for each entry, and once more for one whose handling failed here or
 * elsewhere, until the signal ends it.
 *
 * @param redis a connection of its own, because it waits for entries there
 * @param patience how long an entry may be in somebody's hands until another one takes it, in ms
 */
export async function consume(
  redis: Redis,
  name: string,
  handle: (entry: Record<string, string>, id: string) => unknown,
  patience: number = 60_000,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  async function perform(id: string, entry: Record<string, string>): Promise<void> {
    try {
      await handle({ ...entry }, id);
      await redis.xAck(STREAM, GROUP, id);
    } catch (error) {
      console.error(`${name} could not handle ${id}, which somebody will try again:`, error);
    }
  }

  await redis.xGroupCreate(STREAM, GROUP, "0", { MKSTREAM: true }).catch((error: Error) => {
    if (!error.message.startsWith("BUSYGROUP")) throw error;
  });
  while (!signal.aborted) {
    const left = await redis.xAutoClaim(STREAM, GROUP, name, patience, "0", { COUNT: 10 });
    for (const one of left.messages) if (one !== null) await perform(one.id, one.message);
    const read = await redis.xReadGroup(GROUP, name, { key: STREAM, id: ">" }, {
      COUNT: 10,
      BLOCK: Math.min(1_000, patience),
    });
    for (const { messages } of read ?? []) {
      for (const { id, message } of messages) await perform(id, message);
    }
  }
}

if (import.meta.main) {
  await Promise.all([
    bridge(REDIS_URL, await openRedis()),
    consume(await openRedis(), `consumer of ${pid}`, ({ kind, key, event, reason }, id) => {
      console.log(kind === "gap" ? `${id} a gap: ${reason}` : `${id} ${key} ${event}`);
    }),
  ]);
}
