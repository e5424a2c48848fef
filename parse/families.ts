import { toBytes } from "./text.ts";

/**
 * The six families of channels.
 *
 * The first two are as old as the notifications. The others came with Redis 8.8 and name subkeys,
 * which are the fields of a hash.
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

/** One of the six families of channels. */
export type ChannelType = typeof ChannelType[keyof typeof ChannelType];

/** The families in the order of {@linkcode PREFIXES}. */
export const FAMILIES: readonly ChannelType[] = Object.values(ChannelType);

/** How the channels of each family begin: the one table that all reading goes by. */
export const PREFIXES: readonly Uint8Array[] = FAMILIES.map((type) => toBytes(`__${type}@`));

/** The family whose prefix stands at `start`, as an index into {@linkcode FAMILIES}, or -1. */
export function familyAt(bytes: Uint8Array, start: number, end: number): number {
  next: for (let family = 0; family < PREFIXES.length; family++) {
    const prefix = PREFIXES[family]!;
    if (end - start < prefix.length) continue;
    for (let i = 0; i < prefix.length; i++) {
      if (bytes[start + i] !== prefix[i]) continue next;
    }
    return family;
  }
  return -1;
}

/**
 * The family of a channel, or of a pattern whose beginning is plain text.
 *
 * Only the beginning up to the `@` is looked at.
 *
 * @param channel A whole channel, such as `__keyspace@0__:user:1`.
 * @returns `null` when it is no notification's channel.
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
  return FAMILIES[familyAt(bytes, 0, bytes.length)] ?? null;
}
