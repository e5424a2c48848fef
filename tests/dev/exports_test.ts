/** What the main entry offers: a name that is added or removed there is meant to be. */
import { assertEquals } from "@std/assert";
import { ROOT } from "../../dev/project.ts";
import * as entry from "../../mod.ts";
import * as connection from "../../pubsub/connection/mod.ts";
import { run } from "../servers/run.ts";

const VALUES = `
  AuthError Channel ChannelType ClosedError ClusterKeyspaceNotifications CodedError ConnectError
  KeyNotification KeyeventChannel KeyspaceChannel KeyspaceNotifications
  MissingDatabaseError MissingFlagsError RespLimitError RespSyntaxError SentinelError
  ServerError SubkeyeventChannel SubkeyspaceChannel SubkeyspaceeventChannel
  SubkeyspaceitemChannel SubscribeRefusedError TimeoutError UnsupportedError connect
  dial escapeGlob formatAddress getChannelType isPattern matchGlob parseUrl toChannel
`;
const TYPES = `
  AbstractKeyspaceNotifications Address BatchHandler ChannelLike ChannelOptions
  ChannelSubscribeOptions CloseOptions ClusterOptions ConnectErrorOptions ConnectOptions
  Credentials DecoderLimits Dial DialOptions EventName EventNames EventOf FilterOptions FlagsPolicy Flush
  Gap GapReason GetMessageOptions Health HeartbeatOptions
  KeyspaceNotificationsInterface KnownEvent ListenOptions ListenerOptions MigrationPolicy
  MigrationStatus NameOrPattern NodeState NodeStatus NotificationChannel
  NotificationHandler NotificationLoop NotificationsEvent NotificationsEventMap Overflow ParseOptions QueueLimits QueueOptions ReceivedEvent
  RefusedChannel RolledBack SentinelFailure SentinelTarget ServerAddress ServerTarget ServerUrl SlotCoverage
  SlotRange SlotSpan Status StreamItem SubscribeOptions SubscribingNotifications Subscription TcpAddress 
  TlsOptions Transport UnixAddress WaitOptions 
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
