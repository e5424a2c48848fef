/** What the main entry offers: a name that is added or removed there is meant to be. */
import { assertEquals } from "@std/assert";
import { ROOT } from "../../dev/project.ts";
import * as entry from "../../mod.ts";
import * as connection from "../../pubsub/connection/mod.ts";
import { run } from "../servers/run.ts";

const VALUES = `
  AbstractKeyspaceNotifications Attributed AuthError Channel ChannelType ClosedError
  ClusterKeyspaceNotifications CodedError ConnectError DEFAULT_PORT Decoder EventType
  KeyNotification KeyeventChannel KeyspaceChannel KeyspaceNotifications MissingDatabaseError
  MissingFlagsError RespLimitError RespMap RespSet RespSyntaxError SLOTS SentinelError ServerError
  SubkeyeventChannel SubkeyspaceChannel SubkeyspaceeventChannel SubkeyspaceitemChannel
  SubscribeRefusedError TimeoutError Topology TopologyError UnsupportedError VerbatimString connect
  countSlots decodeText describeEvent dial dialAddress discoverTopology encodeCommand
  encodePipeline escapeGlob formatAddress formatSlots getChannelType hashSlot includesSlot
  isPattern matchGlob mergeFlags missingFlags mostFrequentView parseFlags parseNotification
  parseUrl printFlags replyToText requiredFlags toChannel
`;
const TYPES = `
  Address AuthErrorCode ChannelLike ChannelOptions ClusterNode ClusterOptions CommandArgument ConnectErrorCode ConnectErrorOptions ConnectOptions
  Credentials DecoderLimits DecoderOptions DecoderSink Dial DialOptions DiscoverTopologyOptions
  EventDescription EventName EventNames ChannelSubscribeOptions FlagsPolicy FlagsReport Gap
  GapReason GetMessageOptions Health HeartbeatOptions KeyspaceNotificationsInterface KnownEvent
  ListenOptions MergedFlags MessageFrame MigrationPolicy MigrationStatus NameOrPattern
  NarrowedChannel NodeAddress NodeState NodeStatus NotificationChannel NotificationHandler
  NotificationLoop Overflow ParseOptions QueueLimits QueueOptions RefusedChannel Reply SendCommand
  SentinelErrorCode SentinelFailure SentinelTarget ServerUrl Shard SlotCoverage SlotRange SlotSpan Status StreamItem
  SubscribeOptions Subscription TcpAddress TimeoutErrorCode TlsOptions TopologyErrorCode Transport UnixAddress UnsupportedErrorCode
`;

const VALUES_OF_CONNECTION = `
  AuthError Channel ClosedError CodedError ConnectError KeyNotification Message PubSubConnection ServerError
  TimeoutError UnsupportedError dial open
`;

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

Deno.test("mod.ts exports these values", () => {
  assertEquals(Object.keys(entry).sort(), words(VALUES).sort());
});

Deno.test("./connection exports these values", () => {
  assertEquals(Object.keys(connection).sort(), words(VALUES_OF_CONNECTION).sort());
});

Deno.test("mod.ts exports these types", async () => {
  const { stdout } = await run([Deno.execPath(), "doc", "--json", "mod.ts"], { cwd: ROOT });
  const { nodes } = JSON.parse(stdout) as {
    nodes: Record<string, { symbols: { name: string }[] }>;
  };
  const names = Object.values(nodes).flatMap(({ symbols }) => symbols.map(({ name }) => name));
  const types = names.filter((name) => !(name in entry));
  assertEquals(types.sort(), words(TYPES).sort());
});
