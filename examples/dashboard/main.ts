/**
 * A live dashboard in the browser: events by second and kind, the latest events, gaps drawn where
 * they fell, and which nodes and hash slots are covered. A small HTTP server that watches, a page
 * that it sends by server-sent events, without a framework.
 *
 * `notify-keyspace-events KA`; a cluster by the URL of any of its nodes. It shows every key to
 * its readers, so it answers only this machine. `$HOSTS` names other hosts, such as a proxy that asks
 * for a password.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import type { Server, ServerResponse } from "node:http";
import { env } from "node:process";
import { connect, type ConnectOptions } from "@keywatch/keywatch";
import { closeServer, send, serveLocally } from "../local_server.ts";
import { Feed, KINDS } from "./feed.ts";

/** How often news is sent to pages, in ms. */
const TICK = 500;
/** How much may wait for a page that reads slowly before it is disconnected and has to reconnect. */
const MOST_WAITING = 1024 * 1024;

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["page.html", "text/html"],
  "/page.css": ["page.css", "text/css"],
  "/page.js": ["page.js", "text/javascript"],
  "/chart.js": ["chart.js", "text/javascript"],
};

/**
 * Watches, and serves the dashboard on a port of this machine, until it is disposed of.
 *
 * @param hosts as for {@linkcode serveLocally}
 */
export async function serveDashboard(
  urls: readonly string[],
  port: number,
  options: ConnectOptions = {},
  hosts?: readonly string[],
): Promise<Server & AsyncDisposable> {
  const notifications = await connect(urls, options);
  await notifications.subscribeKeyspace("*", { db: "*" });
  const feed = new Feed();
  const reading = (async () => {
    for await (const item of notifications.listen({ gaps: true })) {
      if (item.kind === "gap") feed.gap(item);
      else feed.event(item);
    }
  })();

  const pages = new Set<ServerResponse>();
  function tell(page: ServerResponse, type: string, update: object): void {
    const { nodes, slots = null, dropped, gaps } = notifications.status();
    const status = { health: notifications.health(), nodes, slots, dropped, gaps };
    page.write(`event: ${type}\ndata: ${JSON.stringify({ ...update, status })}\n\n`);
  }
  const timer = setInterval(() => {
    const news = feed.news();
    for (const page of pages) {
      if (page.writableLength > MOST_WAITING) page.destroy();
      else tell(page, "news", news);
    }
  }, TICK);

  const server = await serveLocally(port, async (path, response) => {
    const [file, type] = FILES[path] ?? [];
    if (path === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("retry: 1000\n\n");
      tell(response, "all", { ...feed.all(), kinds: KINDS });
      pages.add(response);
      response.on("close", () => pages.delete(response));
    } else if (file) {
      const content = await readFile(new URL(file, import.meta.url));
      send(response, 200, `${type}; charset=utf-8`, content);
    } else {
      send(response, 404, "text/plain", "There is no such page\n");
    }
  }, hosts);
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await notifications.close();
      await reading;
      await closeServer(server);
    },
  });
}

if (import.meta.main) {
  const urls = (env["REDIS_URL"] ?? "redis://localhost:6379").split(",");
  const server = await serveDashboard(urls, Number(env["PORT"] ?? 8080));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : address;
  console.log(`http://127.0.0.1:${port}/`);
}
