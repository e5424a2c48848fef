/**
 * Says over HTTP whether notifications are being received: `/health` with 200 or 503 and the reason,
 * for whatever restarts or alerts; `/status` with everything that is known about each server; and
 * `/metrics` with what was received, how long ago, how many gaps and failures, for Prometheus.
 *
 * Healthy means that every server has confirmed every subscription, that its flags let them
 * through, and that it answers `PING`. It does not ask for events: a quiet server is healthy.
 *
 * `notify-keyspace-events KA`; `$HOSTS` names the hosts under which others than this machine may ask.
 *
 * @module
 */

import type { Server } from "node:http";
import { env } from "node:process";
import { connect, type ConnectOptions, type KeyNotification } from "@keywatch/keywatch";
import { closeServer, send, serveLocally } from "./local_server.ts";
import { REDIS_URL } from "./redis.ts";

/** Watches all keys, and serves its health on a port of this machine, until it is closed. */
export async function serveHealth(
  url: string,
  port: number,
  handle: (notification: KeyNotification) => unknown,
  options: ConnectOptions = {},
): Promise<Server & AsyncDisposable> {
  let errors = 0;
  let received = 0;
  const notifications = await connect(url, {
    ...options,
    onError(error) {
      errors++;
      console.error(error);
    },
  });
  await notifications.subscribeKeyspace("*", {
    handler(notification) {
      received++;
      return handle(notification);
    },
  });

  function metrics(): string {
    const { nodes, gaps, dropped } = notifications.status();
    const last = Math.max(...nodes.map(({ lastMessage }) => lastMessage ?? 0));
    return [
      `keywatch_up ${Number(notifications.health().ok)}`,
      `keywatch_events_total ${received}`,
      `keywatch_errors_total ${errors}`,
      `keywatch_gaps_total ${gaps}`,
      `keywatch_dropped_total ${dropped}`,
      `keywatch_last_event_age_seconds ${last === 0 ? "NaN" : (Date.now() - last) / 1_000}`,
      "",
    ].join("\n");
  }

  const server = await serveLocally(port, (path, response) => {
    const json = (code: number, value: unknown) =>
      send(response, code, "application/json", JSON.stringify(value));
    if (path === "/health") {
      const health = notifications.health();
      json(health.ok ? 200 : 503, health);
    } else if (path === "/status") {
      json(200, notifications.status());
    } else if (path === "/metrics") {
      send(response, 200, "text/plain; version=0.0.4", metrics());
    } else {
      json(404, { error: "There is /health, /status and /metrics" });
    }
  });
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      await closeServer(server);
      await notifications.close();
    },
  });
}

if (import.meta.main) {
  const server = await serveHealth(REDIS_URL, Number(env["PORT"] ?? 8080), () => {});
  const address = server.address();
  const port = typeof address === "object" ? address?.port : address;
  console.log(`http://127.0.0.1:${port}/health, /status and /metrics`);
}
