/**
 * Logs users out when their session expires or is deleted. The key `session:<id>` has a time to
 * live. The hash `sessions` outlives it and names the user of each open session.
 *
 * A notification that was missed is not sent again. So the hash is compared with the keys at the
 * start and after each gap. `HDEL` succeeds for one caller only, so each session ends once, even if
 * several instances run.
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

/** Ends sessions until `options.signal` aborts. */
export async function endSessions(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  /** Returns whether the session was over and this call has ended it. */
  async function end(id: string): Promise<boolean> {
    if (await redis.exists(`session:${id}`) === 1) return false;
    const user = await redis.hGet("sessions", id);
    if (user === null || await redis.hDel("sessions", id) !== 1) return false;
    tell(`session ${id} is over · ${user} was logged out`);
    return true;
  }
  async function catchUp(reason: string): Promise<void> {
    let count = 0;
    for (const id of await redis.hKeys("sessions")) if (await end(id)) count++;
    tell(`${reason} · ${count} missed · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired", { keys: "session:*" });
  await notifications.subscribeKeyevent("del", { keys: "session:*" });
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else await end(item.key.slice("session:".length));
  }
}

if (import.meta.main) await endSessions(REDIS_URL, await openRedis(), console.log);
