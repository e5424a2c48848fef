/**
 * Prints events of keys with one connection and nothing more, for runtimes with little memory. It
 * does not reconnect.
 *
 * `notify-keyspace-events KA`
 *
 * @module
 */

import { open } from "@keywatch/keywatch/connection";
import { env } from "node:process";

/** Reports each event until the connection is closed. */
export async function watchKeys(
  url: string,
  keys: string,
  tell: (line: string) => void,
): Promise<void> {
  const connection = await open(url, {
    onMessage: ({ notification: n }) => n && tell(`${n.eventType} ${n.key}`),
  });
  await connection.subscribe(`__keyspace@0__:${keys}`);
  tell(`watching ${keys} with one connection`);
  const { message } = await connection.closed;
  tell(`${message} · from here on, everything is missed`);
}

if (import.meta.main) {
  await watchKeys(env["REDIS_URL"] ?? "redis://localhost:6379", "*", console.log);
}
