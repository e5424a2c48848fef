/**
 * Handles each event in one of many instances: all of them get it, and the one whose
 * `SET claim:… NX PX` succeeds has it. If an instance is in a gap, another one claims.
 *
 * A claim has to outlast the difference between the fastest and the slowest instance, and to be gone
 * before the same event may happen to the same key again; `hold` is that time. Claims expire too:
 * they are never claimed themselves, which would go on for ever.
 *
 * It is *at most* once: whoever claims and then dies takes the event with it. For at least once, see
 * `delayed_tasks.ts` and `reliable_bridge.ts`.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { pid } from "node:process";
import { connect, type ConnectOptions, type KeyNotification } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/**
 * Calls `handle` for each key that expires and that no other instance has claimed, until
 * `options.signal` ends it.
 *
 * @param hold how long a claim lasts, in ms
 */
export async function handleOnce(
  url: string,
  redis: Redis,
  name: string,
  handle: (notification: KeyNotification) => unknown,
  hold: number = 10_000,
  options: ConnectOptions = {},
): Promise<void> {
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") {
      const ms = item.to - item.from;
      console.warn(`${name} may have missed events of ${ms} ms; the others have not, if they ran`);
      continue;
    }
    if (item.keyStartsWith("claim:")) continue;
    const claim = `claim:${item.database}:${item.eventType}:${item.key}`;
    if (await redis.set(claim, name, { NX: true, PX: hold }) !== null) await handle(item);
  }
}

if (import.meta.main) {
  const redis = await openRedis();
  const instances = ["a", "b", "c"].map((letter) => `instance ${letter} of ${pid}`);
  await Promise.all(instances.map((name) =>
    handleOnce(REDIS_URL, redis, name, ({ key }) => {
      console.log(`${key} has expired: handled by ${name}`);
    })
  ));
}
