/**
 * Closes a leaderboard at midnight and names the winners. Points go to the board of their day,
 * `leaderboard:<day>`. The key `leaderboard:<day>:open` expires at the end of the day.
 *
 * The set `leaderboard:days` has the days that are not closed. It is read at the start and after
 * each gap. `SREM` succeeds for one instance only, and that one closes the day.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const DAY = 24 * 60 * 60 * 1_000;

/** Adds points on the board of today. A day has `length` ms, counted from the epoch. */
export async function addPoints(
  redis: Redis,
  player: string,
  points: number,
  length: number = DAY,
): Promise<void> {
  const day = Math.floor(Date.now() / length);
  await redis.multi()
    .sAdd("leaderboard:days", String(day))
    .set(`leaderboard:${day}:open`, "", { PXAT: (day + 1) * length, NX: true })
    .zIncrBy(`leaderboard:${day}`, points, player)
    .exec();
}

/** Closes days until `options.signal` aborts. */
export async function closeDays(
  url: string,
  redis: Redis,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function close(day: string): Promise<boolean> {
    if (await redis.exists(`leaderboard:${day}:open`) === 1) return false;
    if (await redis.sRem("leaderboard:days", day) !== 1) return false;
    await redis.pExpire(`leaderboard:${day}`, 30 * DAY);
    const winners = await redis.zRangeWithScores(`leaderboard:${day}`, 0, 2, { REV: true });
    const names = winners.map(({ value, score }) => `${value} (${score})`);
    tell(`day ${day} is over · winners: ${names.join(", ")}`);
    return true;
  }
  async function catchUp(reason: string): Promise<void> {
    let count = 0;
    for (const day of await redis.sMembers("leaderboard:days")) if (await close(day)) count++;
    tell(`${reason} · ${count} missed · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired", { keys: "leaderboard:*:open" });
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else await close(item.key.slice("leaderboard:".length, -":open".length));
  }
}

if (import.meta.main) await closeDays(REDIS_URL, await openRedis(), console.log);
