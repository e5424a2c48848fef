/**
 * Runs tasks later, with any number of workers, each task at least once. The hash `tasks` has the
 * tasks. The key `task:<id>` expires when the task is due.
 *
 * A worker takes a task by setting that key again for the time of its lease. Then nobody else takes
 * the task, and if the worker dies, the key expires and wakes the others. A task that takes longer
 * than the lease may run twice. At the start and after each gap, the hash is compared with the keys.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { openRedis, type Redis, REDIS_URL } from "./redis.ts";

const TAKE = `
  if redis.call("EXISTS", KEYS[1]) == 1 then return nil end
  local task = redis.call("HGET", KEYS[2], ARGV[1])
  if task then redis.call("SET", KEYS[1], "taken", "PX", ARGV[2]) end
  return task`;

/** Schedules a task in `delay` ms. The id must be new. */
export async function schedule(
  redis: Redis,
  id: string,
  task: string,
  delay: number,
): Promise<void> {
  await redis.multi().hSet("tasks", id, task).set(`task:${id}`, "due", { PX: delay }).exec();
}

/** Calls `perform` for each task that is due, until `options.signal` aborts. */
export async function work(
  url: string,
  redis: Redis,
  perform: (task: string, id: string) => unknown,
  tell: (line: string) => unknown,
  { lease = 60_000, ...options }: ConnectOptions & { lease?: number } = {},
): Promise<void> {
  async function attempt(id: string): Promise<boolean> {
    const keys = [`task:${id}`, "tasks"];
    const task = await redis.eval(TAKE, { keys, arguments: [id, String(lease)] });
    if (typeof task !== "string") return false;
    try {
      await perform(task, id);
      await redis.multi().hDel("tasks", id).del(`task:${id}`).exec();
    } catch (error) {
      tell(`task ${id} failed · next attempt in ${lease} ms · ${error}`);
    }
    return true;
  }
  async function catchUp(reason: string): Promise<void> {
    let count = 0;
    for (const id of await redis.hKeys("tasks")) if (await attempt(id)) count++;
    tell(`${reason} · ${count} missed · caught up`);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired", { keys: "task:*" });
  await catchUp("started");
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp(item.reason);
    else await attempt(item.key.slice("task:".length));
  }
}

if (import.meta.main) {
  const perform = (task: string, id: string) => console.log(`task ${id} is due · ${task}`);
  await work(REDIS_URL, await openRedis(), perform, console.log);
}
