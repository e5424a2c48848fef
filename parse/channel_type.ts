import { toBytes } from "../bytes/to_bytes.ts";
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
export const ChannelType = {
  /** `__keyspace@<db>__:<key>`, payload `<event>`. */
  KEYSPACE: "keyspace",
  /** `__keyevent@<db>__:<event>`, payload `<key>`. */
  KEYEVENT: "keyevent",
  /** `__subkeyspace@<db>__:<key>`, payload `<event>|<length>:<subkey>[,…]`. */
  SUBKEYSPACE: "subkeyspace",
  /** `__subkeyevent@<db>__:<event>`, payload `<length>:<key>|<length>:<subkey>[,…]`. */
  SUBKEYEVENT: "subkeyevent",
  /** `__subkeyspaceitem@<db>__:<key>\n<subkey>`, payload `<event>`. */
  SUBKEYSPACEITEM: "subkeyspaceitem",
  /** `__subkeyspaceevent@<db>__:<event>|<key>`, payload `<length>:<subkey>[,…]`. */
  SUBKEYSPACEEVENT: "subkeyspaceevent",
} as const;

/** One of the six types of channels. */
export type ChannelType = typeof ChannelType[keyof typeof ChannelType];

const TYPES: readonly ChannelType[] = /* @__PURE__ */ Object.values(ChannelType);

/** The beginning of the channels of each type. */
export const CHANNEL_PREFIXES: readonly string[] = /* @__PURE__ */ TYPES.map((type) =>
  `__${type}@`
);

/** Returns the type of the channel `bytes[start..end)`, or `null`. */
export function channelTypeAt(bytes: Uint8Array, start: number, end: number): ChannelType | null {
  return TYPES[CHANNEL_PREFIXES.findIndex((prefix) => startsWith(bytes, start, end, prefix))] ??
    null;
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
  const bytes = toBytes(channel);
  return channelTypeAt(bytes, 0, bytes.length);
}
