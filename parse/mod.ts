/**
 * Keyspace notifications as values: what is read from the messages, channels, and patterns.
 *
 * Pure: no network, no runtime's own names, and usable with the messages of any client.
 *
 * @example
 * ```ts
 * import { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * const message = { type: "pmessage", channel: "__keyspace@0__:user:1", data: "hset" };
 * const notification = KeyNotification.fromMessage(message);
 * console.log(notification?.key, notification?.eventType); // "user:1" "hset"
 * ```
 *
 * @module
 */
export {
  Channel,
  type ChannelOptions,
  KeyeventChannel,
  KeyspaceChannel,
  type NameOrPattern,
  type NotificationChannel,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
  toChannel,
} from "./channel.ts";
export type { EventName, EventNames, KnownEvent, ReceivedEvent } from "./event.ts";
export { ChannelType, getChannelType } from "./channel_type.ts";
export { escapeGlob, isPattern, matchGlob } from "./glob.ts";
export type { ParseOptions } from "./message.ts";
export { KeyNotification } from "./notification.ts";
