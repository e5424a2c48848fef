/**
 * One server: a connection that subscribes, and the notifications that come over it.
 *
 * @example
 * ```ts no-run
 * import { KeyspaceNotifications } from "@keywatch/keywatch/pubsub";
 *
 * const notifications = await KeyspaceNotifications.connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * const first = await notifications.getMessage({ timeout: 1_000 });
 * console.log(first?.key ?? "nothing came within a second");
 * await notifications.close();
 * ```
 *
 * @module
 */

export {
  parseUrl,
  type ServerAddress,
  type ServerTarget,
  type ServerUrl,
} from "./connection/address.ts";
export type { AbstractKeyspaceNotifications, KeyspaceNotificationsInterface } from "./base.ts";
export type { BatchHandler, NotificationHandler } from "./delivery.ts";
export * from "./connection/errors.ts";
export * from "./errors.ts";
export type { Flush, Gap, GapReason, RolledBack } from "./gap.ts";
export type { SubscribingNotifications } from "./subscribing.ts";
export * from "./subscription.ts";
export * from "./notifications.ts";
export type { FlagsPolicy } from "./flags.ts";
export type { Credentials } from "./connection/handshake.ts";
export type { HeartbeatOptions } from "./heartbeat.ts";
export type { ConnectOptions, QueueOptions } from "./options.ts";
export type { Overflow, QueueLimits } from "./queue.ts";
export type { ListenerOptions, NotificationsEvent, NotificationsEventMap } from "./reports.ts";
export type { SentinelTarget } from "./sentinel_target.ts";
export * from "./status.ts";
export type { NotificationLoop, StreamItem } from "./stream.ts";
export {
  type Address,
  type Dial,
  type DialOptions,
  formatAddress,
  type TcpAddress,
  type TlsOptions,
  type Transport,
  type UnixAddress,
} from "./connection/transport.ts";
export { dial } from "./connection/transports/mod.ts";
