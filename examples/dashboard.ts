/**
 * A live dashboard in the browser: events by second and kind, the latest events, gaps drawn where
 * they fell, and which nodes and hash slots are covered. It is a command of the CLI, which a program
 * can run too, for example beside a service in development.
 *
 * `notify-keyspace-events KA`; a cluster by the URL of any of its nodes. It shows every key to its
 * readers, so it answers only this machine.
 *
 * @module
 */

import { env } from "node:process";
import { main } from "@keywatch/keywatch/cli";

/** Serves the dashboard on a port of this machine, until Ctrl-C. */
export function serveDashboard(url: string, port: number): Promise<number> {
  return main(["dashboard", "--url", url, "--port", String(port)]);
}

if (import.meta.main) {
  const [url] = (env["REDIS_URL"] ?? "redis://localhost:6379").split(",");
  await serveDashboard(url!, Number(env["PORT"] ?? 8080));
}
