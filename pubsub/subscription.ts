import type { Channel } from "../parse/mod.ts";

/**
 * A hold on channels, which `subscribe` gives back. With `await using` it is let go of at the end of
 * the block, however that is left.
 *
 * @example
 * ```ts no-run
 * import { connect, type Subscription } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * const held: Subscription = await notifications.subscribeKeyspace("user:*");
 * console.log(held.channels.map(String)); // ["__keyspace@0__:user:*"]
 * await held.unsubscribe();
 * ```
 *
 * @example For one loop alone
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * {
 *   await using _held = await notifications.subscribeKeyevent("expired");
 *   for await (const { key } of notifications) if (key === "job:7") break;
 * } // Not subscribed any more.
 * ```
 */
export interface Subscription extends AsyncDisposable {
  /** The channels. */
  readonly channels: readonly Channel[];
  /** Lets go of them. The last hold on a channel to go unsubscribes it. */
  unsubscribe(): Promise<void>;
}
