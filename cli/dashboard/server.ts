import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { KeyspaceNotificationsInterface } from "../../mod.ts";
import { messageOf } from "../message.ts";
import type { Notes } from "../open.ts";
import { KINDS, seen } from "./feed.ts";
import { Guard, splitTarget } from "./guard.ts";
import { History, readFilter } from "./history.ts";
import { formatMetrics, METRICS_TYPE, Totals } from "./metrics.ts";

/** How often news is sent to pages, in ms. */
const TICK = 500;
/** How much may wait for a page that reads slowly before it is dropped and has to reconnect. */
const MOST_WAITING = 4 * 1024 * 1024;
/** How many pages may be open. */
const MOST_PAGES = 100;

/** The headers of every answer. They tell browsers that only pages of this server may use it. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["page.html", "text/html"],
  "/page.css": ["page.css", "text/css"],
  "/page.js": ["page.js", "text/javascript"],
  "/chart.js": ["chart.js", "text/javascript"],
  "/views.js": ["views.js", "text/javascript"],
};

/** What a {@linkcode Dashboard} is made with. */
export interface DashboardOptions {
  /** Where it listens. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Other names that the `Host` header may have. */
  readonly names: readonly string[];
  /** What a request must know; null if anybody who reaches it may ask. */
  readonly token: string | null;
  /** Whether flushes are observed. */
  readonly flushes: boolean;
  readonly output: Notes;
}

/** A page that shows what happens, its server, and the figures for other programs. */
export class Dashboard {
  readonly #notifications: KeyspaceNotificationsInterface;
  readonly #options: DashboardOptions;
  readonly #history = new History<ServerResponse>();
  readonly #totals = new Totals();
  readonly #files: ReadonlyMap<string, readonly [type: string, content: Uint8Array]>;
  readonly #server: Server;
  #guard: Guard;

  private constructor(
    notifications: KeyspaceNotificationsInterface,
    options: DashboardOptions,
    files: ReadonlyMap<string, readonly [type: string, content: Uint8Array]>,
  ) {
    this.#notifications = notifications;
    this.#options = options;
    this.#files = files;
    this.#guard = new Guard(options);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /**
   * Serves the page.
   *
   * @throws {Error} if it cannot listen there
   */
  static async open(
    notifications: KeyspaceNotificationsInterface,
    options: DashboardOptions,
  ): Promise<Dashboard> {
    const dashboard = new Dashboard(notifications, options, await loadFiles());
    await dashboard.#listen();
    return dashboard;
  }

  async #listen(): Promise<void> {
    const { host, port, output } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(port, host, resolve);
    });
    // For example, too many open files.
    this.#server.on("error", (error) => output.note(messageOf(error), "red"));
    this.#guard = new Guard({ ...this.#options, port: this.port });
  }

  /** The port that it listens on. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  /**
   * Reads notifications until the signal is aborted, and sends them to the pages.
   *
   * @param takes whether an event is shown
   */
  async run(signal: AbortSignal, takes: (event: string) => boolean): Promise<void> {
    const timer = setInterval(() => this.#tellAll(), TICK);
    // The type knows flushes only of an option that is given.
    const shown = { gaps: true, flushes: this.#options.flushes as true, signal } as const;
    try {
      for await (const batch of this.#notifications.batches(shown)) {
        for (const item of batch) {
          if (item.kind === "gap") this.#totals.gap(item.reason);
          else if (item.kind === "flush") this.#totals.flushes++;
          else {
            if (!takes(item.eventType)) continue;
            const event = seen(item);
            this.#totals.event(event.kind);
            this.#history.event(event);
            continue;
          }
          this.#history.lasting(item);
        }
      }
    } finally {
      clearInterval(timer);
    }
  }

  /** Closes the server, and the connections to it. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A client that disconnects early is not a failure.
    response.on("error", () => response.destroy());
    try {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      const refusal = this.#guard.check(request);
      if (refusal !== null) {
        response.writeHead(refusal.status, { "content-type": "text/plain", ...refusal.headers });
        response.end(refusal.text);
        return;
      }
      this.#respond(request.url!, response);
    } catch (error) {
      this.#options.output.note(`a request failed: ${messageOf(error)}`, "red");
      if (response.headersSent) response.destroy();
      else send(response, 500, "text/plain", "The server failed\n");
    }
  }

  #respond(target: string, response: ServerResponse): void {
    const { path, query } = splitTarget(target);
    const notifications = this.#notifications;
    const file = this.#files.get(path);
    if (path === "/events") this.#open(query, response);
    else if (path === "/metrics") {
      const text = formatMetrics(this.#totals, notifications.status(), notifications.health());
      send(response, 200, METRICS_TYPE, text);
    } else if (path === "/health") {
      const health = notifications.health();
      send(response, health.ok ? 200 : 503, "application/json", `${JSON.stringify(health)}\n`);
    } else if (file) send(response, 200, `${file[0]}; charset=utf-8`, file[1]);
    else send(response, 404, "text/plain", "There is no such page\n");
  }

  #open(query: URLSearchParams, response: ServerResponse): void {
    if (this.#history.size >= MOST_PAGES) {
      return send(response, 503, "text/plain", "Too many pages are open\n");
    }
    const feed = this.#history.join(response, readFilter(query));
    response.on("close", () => this.#history.leave(response));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1000\n\n");
    const all = { ...feed.all(), kinds: KINDS, status: this.#status() };
    response.write(`event: all\ndata: ${JSON.stringify(all)}\n\n`);
  }

  #tellAll(): void {
    const status = this.#status();
    for (const { feed, readers } of this.#history.feeds) {
      const text = `event: news\ndata: ${JSON.stringify({ ...feed.news(), status })}\n\n`;
      for (const page of readers) {
        if (page.writableLength > MOST_WAITING) page.destroy();
        else page.write(text);
      }
    }
  }

  #status(): object {
    const { nodes, slots = null, dropped, gaps } = this.#notifications.status();
    return { health: this.#notifications.health(), nodes, slots, dropped, gaps };
  }
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
): void {
  response.writeHead(status, { "content-type": type }).end(body);
}

/** The files of the page, which lie beside this module: in a folder, or where it was loaded from. */
async function loadFiles(): Promise<Map<string, readonly [type: string, content: Uint8Array]>> {
  const entries = Object.entries(FILES).map(async ([path, [file, type]]) => {
    const url = new URL(`./page/${file}`, import.meta.url);
    const content = url.protocol === "file:"
      ? await readFile(url)
      : new Uint8Array(await (await fetch(url)).arrayBuffer());
    return [path, [type, content]] as const;
  });
  return new Map(await Promise.all(entries));
}
