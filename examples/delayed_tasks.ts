/**
 * Runs tasks later, by any number of workers, each task at least once: what is to be done stands in
 * the hash `tasks`, and `task:<id>` is its alarm clock, a key that expires when it is time.
 *
 * A worker takes a task by setting the clock again, to the end of its lease. The same key thus lets
 * nobody else have the task, and wakes the others if the worker dies. It is done when it is out of
 * the hash; a task that takes longer than the lease may be run twice.
 *
 * Clocks that rang in a gap, or while no worker was there, are those that the hash has tasks for
 * and that are gone. A server may notice late that a key has expired; who needs seconds kept on a
 * large keyspace looks for due tasks from time to time as well.
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

/** Has a task run in `delay` ms. The id must not have been used before. */
export async function schedule(
  redis: Redis,
  id: string,
  task: string,
  delay: number,
): Promise<void> {
  await redis.multi().hSet("tasks", id, task).set(`task:${id}`, "due", { PX: delay }).exec();
}

/** A worker: calls `perform` for each task that is due, until it is closed by `options.signal`. */
export async function work(
  url: string,
  redis: Redis,
  perform: (task: string, id: string) => unknown,
  lease: number = 60_000,
  options: ConnectOptions = {},
): Promise<void> {
  async function attempt(id: string): Promise<void> {
    const keys = [`task:${id}`, "tasks"];
    const task = await redis.eval(TAKE, { keys, arguments: [id, String(lease)] });
    if (typeof task !== "string") return;
    try {
      await perform(task, id);
    } catch (error) {
      console.error(`task ${id} failed, and is tried again in ${lease} ms:`, error);
      return;
    }
    await redis.multi().hDel("tasks", id).del(`task:${id}`).exec();
  }
  async function catchUp(): Promise<void> {
    for (const id of await redis.hKeys("tasks")) await attempt(id);
  }

  await using notifications = await connect(url, options);
  await notifications.subscribeKeyevent("expired");
  await catchUp();
  for await (const item of notifications.listen({ gaps: true })) {
    if (item.kind === "gap") await catchUp();
    else if (item.keyStartsWith("task:")) await attempt(item.key.slice("task:".length));
  }
}

if (import.meta.main) {
  await work(REDIS_URL, await openRedis(), (task, id) => console.log(`task ${id}: ${task}`));
}
