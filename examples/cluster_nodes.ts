/**
 * Watches every node of a cluster: each node tells of its own keys only, so there is a connection to
 * each primary, and one stream of what all of them tell. It follows failovers, moves of slots and
 * nodes that come and go.
 *
 * Keeps a count of all sessions as an example of something that must not drift. A gap names the hash
 * slots it concerns, so that after it only the keys of these slots have to be counted again.
 *
 * `notify-keyspace-events Kg$x` on each node
 *
 * @module
 */

import { env } from "node:process";
import { hashSlot } from "@keywatch/keywatch/discovery";
import { connect, type ConnectOptions, type SlotSpan } from "@keywatch/keywatch";
import { createCluster } from "npm:@redis/client@6.3.1";

/** What is told after each notification and each gap. */
export interface Progress {
  /** What happened, where. */
  readonly text: string;
  /** The sessions that there are now. */
  readonly sessions: ReadonlySet<string>;
}

/**
 * Counts sessions until `options.signal` ends it.
 *
 * @param urls of some of the nodes
 */
export async function countSessions(
  urls: readonly string[],
  tell: (progress: Progress) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const sessions = new Set<string>();
  const cluster = createCluster({ rootNodes: urls.map((url) => ({ url })) });
  cluster.on("error", console.error);
  await cluster.connect();

  /** Counts again in these slots, or in all. */
  async function count(slots: readonly SlotSpan[]): Promise<void> {
    const concerned = (key: string) => {
      const slot = hashSlot(key);
      return slots.some(({ first, last }) => first <= slot && slot <= last);
    };
    for (const key of sessions) if (concerned(key)) sessions.delete(key);
    for (const node of cluster.masters) {
      const client = await cluster.nodeClient(node);
      for await (const keys of client.scanIterator({ MATCH: "session:*" })) {
        for (const key of keys) if (concerned(key)) sessions.add(key);
      }
    }
  }

  try {
    await using notifications = await connect(urls, options);
    await notifications.subscribeKeyspace("session:*");
    await count([{ first: 0, last: 16_383 }]);
    const { nodes } = notifications.status();
    await tell({ text: `watching ${nodes.map(({ node }) => node).join(", ")}`, sessions });
    for await (const item of notifications.listen({ gaps: true })) {
      if (item.kind === "gap") {
        const { slots = [{ first: 0, last: 16_383 }], node, reason } = item;
        await count(slots);
        const ranges = slots.map(({ first, last }) => `${first}-${last}`).join(", ");
        await tell({ text: `gap, ${reason}, slots ${ranges} of ${node}`, sessions });
        continue;
      }
      const { key, eventType, node, slot } = item;
      if (eventType === "set") sessions.add(key);
      else if (eventType === "del" || eventType === "expired") sessions.delete(key);
      await tell({ text: `${eventType} ${key}, slot ${slot} of ${node}`, sessions });
    }
  } finally {
    cluster.destroy();
  }
}

if (import.meta.main) {
  const urls = (env["REDIS_URL"] ?? "redis://localhost:6379").split(",");
  await countSessions(urls, ({ text, sessions }) => {
    console.log(`${text}; ${sessions.size} sessions`);
  });
}
