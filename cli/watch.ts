import { connect, KeyspaceChannel, type KeyspaceNotificationsInterface, parseUrl } from "../mod.ts";
import { formatGap, formatNodes, formatNotification } from "./format.ts";
import { Losses } from "./losses.ts";
import { messageOf } from "./message.ts";
import type { Output } from "./output.ts";

/** What `watch` was asked for. */
export interface WatchOptions {
  /** The server's URL. */
  readonly url: string;
  /** Patterns of keys; empty for every key. */
  readonly patterns: readonly string[];
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Prints the notifications of a server or a cluster until the signal is aborted.
 *
 * A slow reader of what it prints slows nothing else: the connection is read all the time, and what
 * does not fit into the queue is a gap.
 *
 * @returns once it has let go of every server
 * @throws what `connect` and `subscribe` throw
 */
export async function watch(options: WatchOptions, output: Output): Promise<void> {
  const { url, patterns, signal } = options;
  // Not by `await using`, which Node 20 cannot parse.
  let notifications: KeyspaceNotificationsInterface | undefined;
  const losses = new Losses();
  try {
    const { database: db = "*" } = parseUrl(url);
    notifications = await connect(url, {
      clientName: "keywatch-watch",
      signal,
      onError: (error) => output.note(messageOf(error), "red"),
      onWarning: (message) => output.note(message, "yellow"),
      onStatus: ({ nodes }) => {
        for (const loss of losses.newIn(nodes)) output.note(loss, "yellow");
      },
    });
    const globs = patterns.length === 0 ? ["*"] : patterns;
    await notifications.subscribe(...globs.map((glob) => new KeyspaceChannel(glob, { db })));
    const where = db === "*" ? "all databases" : `database ${db}`;
    const nodes = formatNodes(notifications.status().nodes);
    output.note(`watching ${globs.join(" ")} on ${nodes}, ${where}; Ctrl-C ends it`, "gray");
    for await (const item of notifications.listen({ gaps: true, signal })) {
      if (item.kind === "gap") {
        // At its place also where results and notes go to the same file.
        await output.flush(signal);
        output.note(formatGap(item), "yellow");
        await output.flush(signal);
      } else {
        output.line(formatNotification(item, output.paint));
        if (output.isFull) await output.flush(signal);
      }
    }
  } catch (error) {
    // Interrupted while connecting.
    if (!signal.aborted) throw error;
  } finally {
    await notifications?.close();
  }
}
