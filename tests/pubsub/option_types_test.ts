/** Under `exactOptionalPropertyTypes`: each option may be `undefined`, as a configuration gives it. */
import { assertEquals } from "@std/assert";
import type { DecoderOptions } from "../../resp/mod.ts";
import type {
  ChannelOptions,
  ChannelSubscribeOptions,
  ClusterOptions,
  ConnectErrorOptions,
  ConnectOptions,
  Credentials,
  FilterOptions,
  GetMessageOptions,
  HeartbeatOptions,
  ListenerOptions,
  ListenOptions,
  ParseOptions,
  QueueOptions,
  SentinelTarget,
  ServerAddress,
  TlsOptions,
} from "../../mod.ts";
import type { MessageOptions, OpenOptions } from "../../pubsub/connection/mod.ts";
import type { DiscoverTopologyOptions } from "../../cluster/discovery/mod.ts";

/** The names of the optional properties. */
type OptionalKeys<T> = {
  [Name in keyof T]-?: object extends Pick<T, Name> ? Name : never;
}[keyof T];

/** Whether all optional properties may be undefined. */
type Accepts<T> = Record<OptionalKeys<T>, undefined> extends Pick<T, OptionalKeys<T>> ? true
  : false;

/** Compiles only if each is `true`. */
type All<Each extends readonly true[]> = Each["length"];

const COUNT: All<[
  Accepts<ChannelOptions>,
  Accepts<ChannelSubscribeOptions>,
  Accepts<ClusterOptions>,
  Accepts<ConnectErrorOptions>,
  Accepts<ConnectOptions>,
  Accepts<Credentials>,
  Accepts<DecoderOptions>,
  Accepts<DiscoverTopologyOptions>,
  Accepts<FilterOptions>,
  Accepts<GetMessageOptions>,
  Accepts<HeartbeatOptions>,
  Accepts<ListenerOptions>,
  Accepts<ListenOptions>,
  Accepts<MessageOptions>,
  Accepts<OpenOptions>,
  Accepts<ParseOptions>,
  Accepts<QueueOptions>,
  Accepts<SentinelTarget>,
  Accepts<ServerAddress>,
  Accepts<TlsOptions>,
]> = 20;

Deno.test("the types of all options accept undefined", () => assertEquals(COUNT, 20));
