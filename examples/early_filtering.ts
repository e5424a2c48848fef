/**
 * Leaves out early what is not wanted: the sooner something is left out, the less it costs. Here
 * deletions and expirations of session keys are wanted, from a server that does a lot else.
 *
 * 1. **At the source**: with only the letters that are needed in `notify-keyspace-events`, the
 *    server makes no other notifications. `requiredFlags` says which those are.
 * 2. **In the subscription**: a server matches exact channels by one look-up and every pattern by
 *    itself; what no channel matches is not sent. `subscribeKeyspace("session:*")` narrows by key,
 *    `subscribeKeyevent("expired")` by event.
 * 3. **While reading**: with `keyPrefix`, other keys are left out before anything is made of them.
 * 4. **In the handler**: event first, it is one comparison; key last, it is only made into text when
 *    it is asked for.
 *
 * @module
 */

import { connect, type ConnectOptions, KeyspaceChannel } from "@keywatch/keywatch";
import { requiredFlags } from "@keywatch/keywatch/events";
import { openRedis, REDIS_URL } from "./redis.ts";

/** The least flags that this needs: `gxK`. */
export const FLAGS: string = requiredFlags({
  channel: KeyspaceChannel.prefix("session:"),
  events: ["del", "expired"],
});

/** How many notifications came that far. */
export interface Seen {
  /** From the server. */
  readonly received: number;
  /** To the handler. */
  readonly handled: number;
}

/** By pattern: the server sends what happens to sessions alone. */
export async function watchNarrowly(
  url: string,
  ended: (id: string) => unknown,
  options: ConnectOptions = {},
): Promise<AsyncDisposable & { seen(): Seen }> {
  let handled = 0;
  const notifications = await connect(url, {
    keyPrefix: "session:",
    onGap: ({ from, to }) => console.warn(`events of ${to - from} ms may be missing`),
    ...options,
  });
  await notifications.subscribeKeyspace("session:*", {
    handler(notification) {
      handled++;
      const { eventType } = notification;
      if (eventType !== "del" && eventType !== "expired") return;
      return ended(notification.key);
    },
  });
  return {
    seen: () => ({ received: notifications.status().nodes[0]?.messages ?? 0, handled }),
    [Symbol.asyncDispose]: () => notifications.close(),
  };
}

if (import.meta.main) {
  console.log(`needs notify-keyspace-events ${FLAGS}`);
  const redis = await openRedis();
  const watcher = await watchNarrowly(REDIS_URL, async (id) => {
    const { received, handled } = watcher.seen();
    const keys = await redis.dbSize();
    console.log(`session ${id} has ended; ${received} received, ${handled} handled, ${keys} keys`);
  });
}
