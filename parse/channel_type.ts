import { toBytes } from "../bytes/to_bytes.ts";

/**
 * The six families of channels.
 *
 * The first two are as old as the notifications. The others came with Redis 8.8 and name subkeys,
 * which are the fields of a hash.
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

/** One of the six families of channels. */
export type ChannelType = typeof ChannelType[keyof typeof ChannelType];

/** The families in the order of {@linkcode PREFIXES}. */
export const FAMILIES: readonly ChannelType[] = Object.values(ChannelType);

/** How the channels of each family begin: the one table that all reading goes by. */
export const PREFIXES: readonly Uint8Array[] = FAMILIES.map((type) => toBytes(`__${type}@`));

/** Whether `part` stands at a place; what ends before it does not count as different. */
export function standsAt(bytes: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false;
  return true;
}

/** Which of `FAMILIES` a channel belongs to that begins at a place; 6 if none. */
export function familyAt(bytes: Uint8Array, at: number): number {
  let family = 0;
  while (family < 6 && !standsAt(bytes, at, PREFIXES[family]!)) family++;
  return family;
}

/**
 * The family of a channel, or of a pattern that begins with plain text.
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
  return FAMILIES[familyAt(toBytes(channel), 0)] ?? null;
}
