import process from "node:process";
import { connect, KeyspaceChannel, type KeyspaceNotifications, parseUrl } from "../mod.ts";
import { formatGap, formatNotification, printable } from "./format.ts";
import { isTerminal, type Output } from "./output.ts";

/** What `watch` was asked for. */
export interface WatchOptions {
  /** The server's URL. */
  readonly url: string;
  /** Patterns of keys; empty for every key. */
  readonly patterns: readonly string[];
}

/**
 * Prints a server's notifications until it is interrupted or nobody reads what it prints.
 *
 * @returns once it has let go of the server
 * @throws what `connect` and `subscribe` throw
 */
export async function watch(options: WatchOptions, output: Output): Promise<void> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  output.onClosed = interrupt;
  // Not by `await using`, which Node 20 cannot parse.
  let notifications: KeyspaceNotifications | undefined;
  let reconnecting = false;
  try {
    const { url, patterns } = options;
    const { database: db = "*" } = parseUrl(url);
    notifications = await connect(url, {
      clientName: "keywatch-watch",
      signal: stop.signal,
      onWarning: (message) => output.note(message),
      onError: (error) => output.note(error instanceof Error ? error.message : String(error)),
      onStatus: ({ nodes: [node] }) => {
        const lost = node !== undefined && node.state === "reconnecting" && !reconnecting;
        reconnecting = node?.state === "reconnecting";
        if (lost) output.note(`lost ${node.node}: ${node.error}; coming back`);
      },
    });
    const globs = patterns.length === 0 ? ["*"] : patterns;
    const channels = globs.map((glob) => new KeyspaceChannel(glob, { db }));
    await notifications.subscribe(...channels);
    const where = db === "*" ? "all databases" : `database ${db}`;
    output.note(
      `watching ${globs.map((glob) => printable(glob)).join(" ")} on ` +
        `${notifications.status().nodes[0]?.node}, ${where}; Ctrl-C ends it`,
    );
    const style = { color: isTerminal() };
    for await (const item of notifications.listen({ gaps: true, signal: stop.signal })) {
      if (item.kind === "gap") output.note(formatGap(item));
      else output.line(formatNotification(item, style));
    }
  } catch (error) {
    // Interrupted while connecting.
    if (!stop.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await notifications?.close();
  }
}
