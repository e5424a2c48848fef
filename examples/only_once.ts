/**
 * Handles each event in one of many instances. All instances receive it, and the one whose
 * `SET claim:… NX PX` succeeds handles it. If one instance is in a gap, another one claims.
 *
 * A claim must last longer than the slowest instance takes, and end before the same event can happen
 * to the same key again (`hold`). An instance that claims and then dies loses the event: it is
 * handled at most once. `delayed_tasks.ts` and `reliable_bridge.ts` handle at least once.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/**
 * Reports each key that expires and that no other instance has claimed, until `options.signal` aborts.
 *
 * @param options with `hold`: how long a claim lasts, in ms
 */
export async function handleOnce(
  url: string,
  redis: Redis,
  name: string,
  tell: (line: string) => unknown,
  { hold = 10_000, ...options }: ConnectOptions & { hold?: number } = {},
): Promise<void> {
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") {
      tell(`${name} has a gap of ${item.to - item.from} ms · instances without a gap handle it`);
      continue;
    }
    // Claims expire too.
    if (item.keyStartsWith("claim:")) continue;
    const claim = `claim:${item.database}:${item.eventType}:${item.key}`;
    const isMine = await redis.set(claim, name, { NX: true, PX: hold }) !== null;
    if (isMine) tell(`${item.key} expired · handled by ${name}`);
  }
}

if (import.meta.main) {
  const redis = await openRedis();
  const names = ["instance a", "instance b", "instance c"];
  await Promise.all(names.map((name) => handleOnce(REDIS_URL, redis, name, console.log)));
}
