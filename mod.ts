/**
 * Keyspace notifications of Redis and Valkey for Deno, Bun, Node and other runtimes: which keys are
 * set, deleted, expired or evicted. Every event is delivered, or the gap that it may be in is reported.
 *
 * {@linkcode connect} takes the URL of a server, the URLs of some nodes of a cluster, or sentinels.
 * Notifications are delivered to handlers or in one merged stream, also after lost connections,
 * failovers and resharding. What may be missing is reported as a {@linkcode Gap} at its place in the
 * stream.
 *
 * Servers publish nothing by default. Set `notify-keyspace-events`, to `KEA` for most purposes. If the
 * setting blocks a channel, `subscribe` rejects with an error that names the command that fixes it.
 *
 * The other entry points need no `connect`: `./connection` is one plain connection, `./parse` and
 * `./events` read the messages of any client and know what servers send, `./resp` is the protocol, and
 * `./discovery` finds the nodes of a cluster through any client.
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * for await (const item of notifications.listen({ gaps: true })) {
 *   if (item.kind === "gap") console.log(`something of ${item.node} may be missing: ${item.reason}`);
 *   else console.log(item.database, item.eventType, item.key);
 * }
 * ```
 *
 * @module
 */

// Not from ./cluster/mod.ts, with which bundlers would load the discovery of clusters at the start.
export { ClusterKeyspaceNotifications, connect } from "./cluster/notifications.ts";
export type { ClusterOptions, MigrationPolicy } from "./cluster/options.ts";
export type { SlotRange } from "./cluster/discovery/mod.ts";
export {
  Channel,
  type ChannelOptions,
  ChannelType,
  escapeGlob,
  type EventName,
  type EventNames,
  getChannelType,
  isPattern,
  KeyeventChannel,
  KeyNotification,
  KeyspaceChannel,
  type KnownEvent,
  matchGlob,
  type NameOrPattern,
  type NotificationChannel,
  type ParseOptions,
  type ReceivedEvent,
  SubkeyeventChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
  toChannel,
} from "./parse/mod.ts";
export {
  type AbstractKeyspaceNotifications,
  type Address,
  AuthError,
  type BatchHandler,
  type ChannelLike,
  type ChannelSubscribeOptions,
  ClosedError,
  type CloseOptions,
  CodedError,
  ConnectError,
  type ConnectErrorOptions,
  type ConnectOptions,
  type Credentials,
  type Dial,
  dial,
  type DialOptions,
  type EventOf,
  type FilterOptions,
  type FlagsPolicy,
  type Flush,
  formatAddress,
  type Gap,
  type GapReason,
  type GetMessageOptions,
  type Health,
  type HeartbeatOptions,
  KeyspaceNotifications,
  type KeyspaceNotificationsInterface,
  type ListenerOptions,
  type ListenOptions,
  type MigrationStatus,
  MissingDatabaseError,
  MissingFlagsError,
  type NodeState,
  type NodeStatus,
  type NotificationHandler,
  type NotificationLoop,
  type NotificationsEvent,
  type NotificationsEventMap,
  type Overflow,
  parseUrl,
  type QueueLimits,
  type QueueOptions,
  type RefusedChannel,
  type RolledBack,
  SentinelError,
  type SentinelFailure,
  type SentinelTarget,
  type ServerAddress,
  type ServerTarget,
  type ServerUrl,
  type SlotCoverage,
  type SlotSpan,
  type Status,
  type StreamItem,
  type SubscribeOptions,
  SubscribeRefusedError,
  type SubscribingNotifications,
  type Subscription,
  type TcpAddress,
  TimeoutError,
  type TlsOptions,
  type Transport,
  type UnixAddress,
  UnsupportedError,
  type WaitOptions,
} from "./pubsub/mod.ts";
export { type DecoderLimits, RespLimitError, RespSyntaxError, ServerError } from "./resp/mod.ts";
