/**
 * Serves the state of a watcher over HTTP: `/health` with 200 or 503 and the reason, `/status` with
 * what is known about each server, and `/metrics` for Prometheus.
 *
 * Healthy means that every server has confirmed every subscription, that its flags let notifications
 * through, and that it answers `PING`. A server without events is healthy.
 *
 * `notify-keyspace-events KA`. `$HOSTS` names other hosts to answer for than this machine.
 *
 * @module
 */

import type { Server } from "node:http";
import { env } from "node:process";
import { connect, type KeyNotification } from "@keywatch/keywatch";
import { closeServer, send, serveLocally } from "./local_server.ts";
import { REDIS_URL } from "./redis.ts";

/** Watches all keys, and serves its state on a port of this machine until it is disposed of. */
export async function serveHealth(
  url: string,
  port: number,
  handler: (notification: KeyNotification) => unknown,
): Promise<Server & AsyncDisposable> {
  let errors = 0;
  const notifications = await connect(url, {
    onError: (error) => console.error(`handler failed ${++errors} times ·`, error),
    onGap: ({ reason, from, to }) => console.log(`${reason} for ${to - from} ms · counted`),
    onStatus: ({ nodes }) => nodes.forEach(({ node, state }) => console.log(`${node} · ${state}`)),
  });
  await notifications.subscribeKeyspace("*", { handler });

  function metrics(): string {
    const { nodes, gaps, dropped } = notifications.status();
    const last = Math.max(...nodes.map(({ lastMessage }) => lastMessage ?? NaN));
    return `keywatch_up ${Number(notifications.health().ok)}
keywatch_events_total ${nodes.reduce((sum, { messages }) => sum + messages, 0)}
keywatch_errors_total ${errors}
keywatch_gaps_total ${gaps}
keywatch_dropped_total ${dropped}
keywatch_last_event_age_seconds ${(Date.now() - last) / 1_000}
`;
  }

  const server = await serveLocally(port, (path, response) => {
    const json = (code: number, value: unknown) =>
      send(response, code, "application/json", JSON.stringify(value));
    const health = notifications.health();
    if (path === "/health") json(health.ok ? 200 : 503, health);
    else if (path === "/status") json(200, notifications.status());
    else if (path === "/metrics") send(response, 200, "text/plain; version=0.0.4", metrics());
    else json(404, { error: "There is /health, /status and /metrics" });
  });
  const close = () => Promise.all([closeServer(server), notifications.close()]);
  return Object.assign(server, { [Symbol.asyncDispose]: () => close().then(() => {}) });
}

if (import.meta.main) {
  const server = await serveHealth(REDIS_URL, Number(env["PORT"] ?? 8080), () => {});
  const address = server.address();
  const port = typeof address === "object" ? address?.port : address;
  console.log(`serving http://127.0.0.1:${port}/health, /status and /metrics`);
}
