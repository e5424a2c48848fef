import { toBytes } from "../bytes/to_bytes.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { startsWith } from "./spans.ts";

/**
 * The six types of channels. The last four, since Redis 8.8, name subkeys: the fields of a hash.
 *
 * @example
 * ```ts
 * import { ChannelType, getChannelType } from "@keywatch/keywatch/parse";
 *
 * getChannelType("__keyspace@0__:user:1") === ChannelType.KEYSPACE; // true
 * ```
 */
export const ChannelType: {
  /** `__keyspace@<db>__:<key>`, payload `<event>`. */
  readonly KEYSPACE: "keyspace";
  /** `__keyevent@<db>__:<event>`, payload `<key>`. */
  readonly KEYEVENT: "keyevent";
  /** `__subkeyspace@<db>__:<key>`, payload `<event>|<length>:<subkey>[,…]`. */
  readonly SUBKEYSPACE: "subkeyspace";
  /** `__subkeyevent@<db>__:<event>`, payload `<length>:<key>|<length>:<subkey>[,…]`. */
  readonly SUBKEYEVENT: "subkeyevent";
  /** `__subkeyspaceitem@<db>__:<key>\n<subkey>`, payload `<event>`. */
  readonly SUBKEYSPACEITEM: "subkeyspaceitem";
  /** `__subkeyspaceevent@<db>__:<event>|<key>`, payload `<length>:<subkey>[,…]`. */
  readonly SUBKEYSPACEEVENT: "subkeyspaceevent";
} = {
  KEYSPACE: "keyspace",
  KEYEVENT: "keyevent",
  SUBKEYSPACE: "subkeyspace",
  SUBKEYEVENT: "subkeyevent",
  SUBKEYSPACEITEM: "subkeyspaceitem",
  SUBKEYSPACEEVENT: "subkeyspaceevent",
};

/** One of the six types of channels. */
export type ChannelType = typeof ChannelType[keyof typeof ChannelType];

/** The prefix of the channels of each type. */
const PREFIXES: readonly (readonly [type: ChannelType, prefix: Uint8Array])[] =
  /* @__PURE__ */ Object.values(ChannelType).map((type) => [type, encodeUtf8(`__${type}@`)]);

/** Returns the type of a channel that starts at `start`, or `null`. */
export function channelTypeAt(bytes: Uint8Array, start: number): ChannelType | null {
  for (let i = 0; i < PREFIXES.length; i++) {
    const [type, prefix] = PREFIXES[i]!;
    if (startsWith(bytes, start, bytes.length, prefix)) return type;
  }
  return null;
}

/**
 * Returns the type of a channel, or of a pattern that begins with plain text, by its part up to `@`.
 *
 * @param channel A whole channel, such as `__keyspace@0__:user:1`.
 * @returns `null` if it is not a channel of notifications.
 *
 * @example
 * ```ts
 * import { getChannelType } from "@keywatch/keywatch/parse";
 *
 * getChannelType("__keyevent@0__:set"); // "keyevent"
 * getChannelType("news"); // null
 * ```
 */
export function getChannelType(channel: string | Uint8Array): ChannelType | null {
  return channelTypeAt(toBytes(channel), 0);
}
