/**
 * Ends what belongs to a session when it expires or is logged out: `session:<id>` is a key with a
 * time to live, and what must outlive it stands beside it, in the hash `sessions` of all that are
 * open.
 *
 * A notification that a lost connection swallowed is not sent again, so the hash is laid against
 * the keys at the start and after each gap. `HDEL` tells who took a session out of the hash first:
 * however often its end is noticed, and by however many instances, it is ended once.
 *
 * `notify-keyspace-events Exg`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

/** Opens a session for `ttl` ms. */
export async function logIn(redis: Redis, id: string, user: string, ttl: number): Promise<void> {
  await redis.multi().hSet("sessions", id, user).set(`session:${id}`, "open", { PX: ttl }).exec();
}

/** Calls `ended` for each session that ends, until it is closed by `options.signal`. */
export async function endSessions(
  url: string,
  redis: Redis,
  ended: (id: string, user: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function end(id: string): Promise<void> {
    if (await redis.exists(`session:${id}`) === 1) return;
    const user = await redis.hGet("sessions", id);
    if (user !== null && await redis.hDel("sessions", id) === 1) await ended(id, user);
  }
  async function catchUp(): Promise<void> {
    for (const id of await redis.hKeys("sessions")) await end(id);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await notifications.subscribeKeyevent("del");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    else if (item.keyStartsWith("session:")) await end(item.key.slice("session:".length));
  }
}

if (import.meta.main) {
  await endSessions(REDIS_URL, await openRedis(), (id, user) => {
    console.log(`${user} has been logged out: session ${id} is over`);
  });
}
