/**
 * Prints what becomes of keys, over one connection and nothing more: for runtimes with little room.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */
import { open } from "@keywatch/keywatch/connection";
import { env } from "node:process";

/** Calls `print` with each event until the connection is over; resolves with why it is. */
export async function watchKeys(
  url: string,
  keys: string,
  print: (event: string) => void,
): Promise<Error> {
  const connection = await open(url, {
    onMessage: ({ notification: n }) => n && print(`${n.eventType} ${n.key}`),
  });
  await connection.subscribe(`__keyspace@0__:${keys}`);
  return await connection.closed;
}

if (import.meta.main) {
  console.log(await watchKeys(env["REDIS_URL"] ?? "redis://localhost:6379", "*", console.log));
}
