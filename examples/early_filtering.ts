/**
 * Drops other notifications early. The earlier a notification is dropped, the less it costs. This
 * example wants deletions and expirations of session keys, from a server that does much else.
 *
 * 1. **At the server**: `requiredFlags` computes the letters of `notify-keyspace-events` that are
 *    needed. The server creates no other notifications.
 * 2. **In the subscription**: the server sends only what a channel matches. `subscribeKeyspace`
 *    selects keys, `subscribeKeyevent` selects an event.
 * 3. **While reading**: the filter `events` drops other events, and `keyPrefix` drops other keys,
 *    before anything is created for them.
 * 4. **In the handler**: compare the event first. The key becomes text when it is read.
 *
 * @module
 */

import { connect, type ConnectOptions, KeyspaceChannel } from "@keywatch/keywatch";
import { requiredFlags } from "@keywatch/keywatch/events";
import { REDIS_URL } from "./redis.ts";

const EVENTS = ["del", "expired"] as const;

/** The flags that this needs: `gxK`. */
export const FLAGS: string = requiredFlags({
  channel: KeyspaceChannel.prefix("session:"),
  events: EVENTS,
});

/** Reports sessions that end until the result is disposed of. */
export async function watchNarrowly(
  url: string,
  tell: (line: string) => unknown,
  options: ConnectOptions = {},
): Promise<AsyncDisposable> {
  const notifications = await connect(url, {
    keyPrefix: "session:",
    onGap: ({ reason, from, to }) => tell(`${reason} for ${to - from} ms · some may be missing`),
    ...options,
  });
  let handled = 0;
  await notifications.subscribeKeyspace("session:*", {
    events: EVENTS,
    handler({ key, eventType }) {
      const received = notifications.status().nodes[0]?.messages;
      tell(`${eventType} ${key} · ${received} received, ${++handled} handled`);
    },
  });
  tell(`watching sessions · the server needs notify-keyspace-events ${FLAGS}`);
  return notifications;
}

if (import.meta.main) await watchNarrowly(REDIS_URL, console.log);
