/**
 * Watches all nodes of a cluster in one stream. Each node reports its own keys only, so there is one
 * connection to each primary. It follows failovers, slot migrations and nodes that join or leave.
 *
 * This example keeps a count of all sessions. A gap names its hash slots, so only the keys of these
 * slots are counted again.
 *
 * `notify-keyspace-events Kg$x` on each node
 *
 * @module
 */

import { env } from "node:process";
import { hashSlot } from "@keywatch/keywatch/discovery";
import { connect, type ConnectOptions, type SlotSpan } from "@keywatch/keywatch";
import { createCluster } from "npm:@redis/client@6.3.1";

const ALL_SLOTS: readonly SlotSpan[] = [{ first: 0, last: 16_383 }];

/** Counts sessions until `options.signal` aborts. `urls` are some of the nodes. */
export async function countSessions(
  urls: readonly string[],
  tell: (line: string, sessions: ReadonlySet<string>) => unknown,
  options: ConnectOptions = {},
): Promise<void> {
  const sessions = new Set<string>();
  const cluster = createCluster({ rootNodes: urls.map((url) => ({ url })) });
  cluster.on("error", ({ message }) => console.error(message));
  await cluster.connect();

  async function count(slots: readonly SlotSpan[]): Promise<void> {
    const isCounted = (key: string) => {
      const slot = hashSlot(key);
      return slots.some(({ first, last }) => first <= slot && slot <= last);
    };
    for (const key of sessions) if (isCounted(key)) sessions.delete(key);
    for (const node of cluster.masters) {
      const client = await cluster.nodeClient(node);
      for await (const keys of client.scanIterator({ MATCH: "session:*" })) {
        for (const key of keys) if (isCounted(key)) sessions.add(key);
      }
    }
  }

  try {
    await using notifications = await connect(urls, options);
    await notifications.subscribeKeyspace("session:*");
    await count(ALL_SLOTS);
    tell(`watching ${notifications.status().nodes.map(({ node }) => node).join(", ")}`, sessions);
    for await (const item of notifications.listen({ gaps: true })) {
      const { node } = item;
      if (item.kind === "gap") {
        const { slots = ALL_SLOTS, reason } = item;
        await count(slots);
        const ranges = slots.map(({ first, last }) => `${first}-${last}`).join(", ");
        tell(`${reason} · counted slots ${ranges} of ${node} again · caught up`, sessions);
        continue;
      }
      const { key, eventType, slot } = item;
      if (eventType === "set") sessions.add(key);
      else if (eventType === "del" || eventType === "expired") sessions.delete(key);
      tell(`${eventType} ${key} in slot ${slot} of ${node}`, sessions);
    }
  } finally {
    cluster.destroy();
  }
}

if (import.meta.main) {
  const urls = (env["REDIS_URL"] ?? "redis://localhost:6379").split(",");
  await countSessions(urls, (line, { size }) => console.log(`${line} · ${size} sessions`));
}
