/**
 * Closes a leaderboard each midnight and names its winners. Points go to the board of their day by
 * its name, `leaderboard:<day>`, so that none lands on the wrong one, however late the old day is
 * closed; `leaderboard:<day>:open` expires at its end, and wakes whoever closes it.
 *
 * The set `leaderboard:days` holds the days that are not closed yet. It tells what ended in a gap
 * or while nobody watched, and of many instances the one that takes a day out of it closes it.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const DAY = 24 * 60 * 60 * 1_000;

/** How long a board is kept after its day, in s. */
const KEPT = 30 * 24 * 60 * 60;

/** One place of a board. */
export interface Place {
  readonly value: string;
  readonly score: number;
}

/** Adds points on the board of today, counted in days of `length` ms since the epoch. */
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

/** Calls `closed` with the first three of each day that ends, until `options.signal` ends it. */
export async function closeDays(
  url: string,
  redis: Redis,
  closed: (day: number, winners: Place[]) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  async function close(day: number): Promise<void> {
    if (await redis.exists(`leaderboard:${day}:open`) === 1) return;
    if (await redis.sRem("leaderboard:days", String(day)) !== 1) return;
    await redis.expire(`leaderboard:${day}`, KEPT);
    await closed(day, await redis.zRangeWithScores(`leaderboard:${day}`, 0, 2, { REV: true }));
  }
  async function catchUp(): Promise<void> {
    for (const day of await redis.sMembers("leaderboard:days")) await close(Number(day));
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    const day = item.kind === "gap" ? null : /^leaderboard:(\d+):open$/.exec(item.key)?.[1];
    if (day) await close(Number(day));
  }
}

if (import.meta.main) {
  await closeDays(REDIS_URL, await openRedis(), (day, winners) => {
    const names = winners.map(({ value, score }) => `${value} (${score})`).join(", ");
    console.log(`day ${day} is over; it was won by ${names}`);
  });
}
