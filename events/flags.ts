import {
  type Channel,
  ChannelType,
  escapeGlob,
  type EventName,
  matchGlob,
  toChannel,
} from "../parse/mod.ts";
import { describeEvent, EVENTS } from "./event.ts";

/** The classes that `A` includes on every server. */
const ALL = "g$lshzxetd";

/** Omitted from a server's answer that contains `A`, although they may be set. */
const HIDDEN = "nocr";

/** The letters of the channel types, in the order of `ChannelType`. */
const TYPE_LETTERS = "KESTIV";

/** The order of a server's answer. */
const ORDER = "Ag$lshzxetdanocrKEmSTIV";

/** The software of a server. A field is null if the server does not report it. */
export interface Product {
  /** `redis`, `valkey` or another name. */
  readonly software: string | null;
  /** Its version, such as `7.0.15`. */
  readonly version: string | null;
}

/** The letters that not every server supports, and the first version of Redis that does. */
const SINCE: readonly (readonly [letters: string, major: number, minor: number])[] = [
  ["t", 5, 0],
  ["m", 6, 0],
  ["d", 6, 2],
  ["n", 7, 0],
  ["oc", 8, 2],
  ["aSTIV", 8, 8],
  // Development builds call themselves 255.255.255.
  ["r", 255, 0],
];

/**
 * Servers that descend from Redis 7.2, and the last major version of each whose letters are known.
 * They are those of Redis 7.2.
 */
const LAST_KNOWN: Readonly<Record<string, number>> = { valkey: 9, redict: 7 };

/**
 * Returns the letters that a server does not support. It rejects a whole value for one of them, and
 * sends no events of their classes.
 *
 * @param letters Any letters. `A`, which all servers support, is ignored.
 * @param server The server. The result is empty if its software or version is unknown.
 */
export function unknownFlags(letters: string, { software, version }: Product): string {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? "")?.map(Number) ?? [];
  if (major === undefined) return "";
  const isDescendant = major <= (LAST_KNOWN[software ?? ""] ?? -1);
  if (software !== "redis" && !isDescendant) return "";
  const [most, least] = isDescendant ? [7, 2] : [major, minor!];
  return SINCE.flatMap(([known, since, sinceMinor]) =>
    since > most || since === most && sinceMinor > least
      ? only(letters, (letter) => known.includes(letter))
      : ""
  ).join("");
}

/** Returns the other letters: those that the server supports, as far as that is known. */
export function knownFlags(letters: string, server: Product): string {
  const unknown = unknownFlags(letters, server);
  return only(letters, (letter) => !unknown.includes(letter));
}

/** Names the first version of Redis that supports all of these letters; null if every server does. */
export function sinceWhen(letters: string): string | null {
  const [, major, minor] =
    SINCE.findLast(([newer]) => only(letters, (letter) => newer.includes(letter))) ?? [];
  if (major === undefined) return null;
  return major === 255 ? "a development version of Redis" : `Redis ${major}.${minor}`;
}

/** What {@linkcode missingOn} finds. */
export interface ServerReport extends FlagsReport {
  /** The missing letters that the server does not support. */
  foreign: string;
  /** The missing letters to set. The server supports them, and can send events on their channels. */
  settable: string;
}

/**
 * Compares as {@linkcode missingFlags} does, for one server, which neither hides nor sends the events
 * of letters that it does not know.
 *
 * @param server The server's software.
 */
export function missingOn(
  server: Product,
  configured: string,
  ...channels: (string | Uint8Array | Channel | NarrowedChannel)[]
): ServerReport {
  const { present, missing, unknown } = missingFlags(configured, ...channels);
  const useful = channels.filter((channel) => canEverReceive(server, configured, channel));
  return {
    present,
    missing: missing + unknownFlags(unknown, server),
    unknown: knownFlags(unknown, server),
    foreign: unknownFlags(missing + unknown, server),
    settable: knownFlags(missingFlags(configured, ...useful).missing, server),
    canReceive: useful.some((channel) => missingFlags(configured, channel).canReceive),
  };
}

/** Whether a server can send events on a channel with any flags that it accepts. */
export function canEverReceive(
  server: Product,
  configured: string,
  channel: string | Uint8Array | Channel | NarrowedChannel,
): boolean {
  const letters = ORDER.replace("A", "");
  const unknown = unknownFlags(letters, server);
  // It supports every letter that is set, whatever software it reports.
  const known = only(letters, (l) => configured.includes(l) || !unknown.includes(l));
  return missingFlags(known, channel).canReceive;
}

/**
 * A channel, and the only events on it that matter.
 *
 * @example
 * ```ts
 * import { type NarrowedChannel, requiredFlags } from "@keywatch/keywatch/events";
 *
 * const narrowed: NarrowedChannel = { channel: "__keyspace@0__:user:*", events: ["set", "del"] };
 * requiredFlags(narrowed); // "g$K"
 * ```
 */
export interface NarrowedChannel {
  /** The channel or pattern. */
  channel: string | Uint8Array | Channel;
  /** The events that matter. The flags of others are not needed. */
  events: readonly EventName[];
}

/**
 * The result of {@linkcode missingFlags}: letters in the servers' order.
 *
 * @example
 * ```ts
 * import { type FlagsReport, missingFlags } from "@keywatch/keywatch/events";
 *
 * const report: FlagsReport = missingFlags("KE$", "__keyevent@0__:expired");
 * if (!report.canReceive) console.log(`missing: ${report.missing}`); // missing: x
 * ```
 */
export interface FlagsReport {
  /** Needed and set. */
  present: string;
  /** Needed and not set. If most letters of `A` are not set, `A` in their place. */
  missing: string;
  /** Needed, and perhaps set: a server's answer omits `n`, `o`, `c` and `r` if it contains `A`. */
  unknown: string;
  /** `false` if the server can never send anything on any of the channels. */
  canReceive: boolean;
}

/**
 * The result of {@linkcode mergeFlags}.
 *
 * @example
 * ```ts
 * import { type MergedFlags, mergeFlags } from "@keywatch/keywatch/events";
 *
 * const { flags, added }: MergedFlags = mergeFlags("gKE", "xE");
 * if (added !== "") console.log(`CONFIG SET notify-keyspace-events ${flags}`); // gxKE
 * ```
 */
export interface MergedFlags {
  /** The flags to set. */
  flags: string;
  /** Those that are new, or perhaps are. If empty, there is nothing to set. */
  added: string;
  /** Letters that may be set and hidden by `A`. Setting `flags` turns them off. */
  unsure: string;
}

/** Returns each letter once and in order, without those of `A`; unknown letters come last. */
function ordered(letters: string): string {
  const covered = letters.includes("A") ? `${ALL}a` : "";
  return only(new Set(ORDER + letters), (l) => letters.includes(l) && !covered.includes(l));
}

function only(letters: Iterable<string>, test: (letter: string) => boolean): string {
  return [...letters].filter(test).join("");
}

/** Returns whether all classes are set that `A` includes on every server. */
function hasAll(flags: string): boolean {
  return !only(ALL, (letter) => !flags.includes(letter));
}

function isInForce(flags: string, letter: string): boolean {
  return flags.includes(letter) || letter === "A" && hasAll(flags) ||
    flags.includes("A") && `${ALL}a`.includes(letter);
}

/** Returns whether the answer does not tell if a letter is set. */
function isHidden(flags: string, letter: string): boolean {
  return flags.includes("A") && HIDDEN.includes(letter) && !flags.includes(letter);
}

/**
 * Parses a value of `notify-keyspace-events`.
 *
 * @param text Letters in any order, also unknown ones.
 * @returns The letters, with `A` replaced by the ten that it includes on every server. From Redis 8.8
 * on, it includes `a` too.
 *
 * @example
 * ```ts
 * import { parseFlags } from "@keywatch/keywatch/events";
 *
 * parseFlags("AKE").has("x"); // true
 * ```
 */
export function parseFlags(text: string): Set<string> {
  return new Set(text.replaceAll("A", ALL));
}

/**
 * Formats a value of `notify-keyspace-events` in the order of servers' answers.
 *
 * @param flags Letters, as a text or one by one. Unknown ones come last.
 * @returns Each letter once, and `A` for the ten that it includes on every server.
 *
 * @example
 * ```ts
 * import { printFlags } from "@keywatch/keywatch/events";
 *
 * printFlags("xEKg"); // "gxKE"
 * ```
 */
export function printFlags(flags: Iterable<string>): string {
  const letters = [...flags].join("");
  return ordered(hasAll(letters) ? `A${letters}` : letters);
}

/**
 * Returns the fewest flags with which a server sends everything on some channels.
 *
 * Each named event counts. Of the events that a glob matches, those outside `A` count only if it
 * matches no others: a whole keyspace needs `K` and `A`, without `m` for key misses. A pattern that
 * matches several channel types needs the letters of each, but `S`, `T`, `I` and `V` only if `K` and
 * `E` can deliver nothing on it.
 *
 * @param channels The channels, patterns, or channels with the events that matter.
 * @returns Empty if none is a channel of notifications.
 *
 * @example
 * ```ts
 * import { requiredFlags } from "@keywatch/keywatch/events";
 * import { KeyeventChannel, KeyspaceChannel } from "@keywatch/keywatch/parse";
 *
 * requiredFlags(new KeyeventChannel("expired")); // "xE"
 * requiredFlags({ channel: new KeyspaceChannel("user:*"), events: ["set", "del"] }); // "g$K"
 * ```
 */
export function requiredFlags(
  ...channels: (string | Uint8Array | Channel | NarrowedChannel)[]
): string {
  return ordered(
    channels.flatMap((channel) => {
      const all = needs(channel);
      const old = all.filter((letters) => /[KE]/.test(letters));
      return old.length ? old : all;
    }).join(""),
  );
}

/** The letters that a channel needs, for each channel type that it matches. That of the type is first. */
function needs(value: string | Uint8Array | Channel | NarrowedChannel): string[] {
  const { events, channel = value as Channel } = value as NarrowedChannel;
  const subscribed = toChannel(channel);
  const text = subscribed.isPattern ? `${subscribed}` : escapeGlob(`${subscribed}`);
  // What the first `*` takes may be the end of the type and all that follows.
  const head = /^(\[[^\]]+]|[^*@])*[*@]/.exec(text)?.[0] ?? "";
  return Object.values(ChannelType).map((type, i) => {
    if (!matchGlob(head, `__${type}@`)) return "";
    const all = i < 2 ? "A" : "h";
    // Every other type names the event; the last has a `|` and the key behind it.
    const event = i % 2 && /@.*?__:([^|]*)/.exec(text)?.[1] || "*";
    // What matches a name that no event has matches any.
    const classes = (events?.map(describeEvent) ??
      (matchGlob(event, "\0") ? [] : EVENTS.filter(({ name }) => matchGlob(event, name))))
      .map((found) => found.class ?? "A").join("");
    const most = events ? "" : only(classes, (letter) => (i < 2 ? ALL : all).includes(letter));
    return TYPE_LETTERS[i]! + (most || classes || all);
  }).filter(Boolean);
}

/**
 * Compares a server's flags with those that channels need.
 *
 * @param configured The server's answer to `CONFIG GET notify-keyspace-events`; `null` if unknown.
 * @param channels The channels, patterns, or channels with the events that matter.
 *
 * @example
 * ```ts
 * import { missingFlags } from "@keywatch/keywatch/events";
 * import { KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * missingFlags("KE$", new KeyeventChannel("expired")).missing; // "x"
 * missingFlags("AKE", new KeyeventChannel("new")).unknown; // "n"
 * ```
 */
export function missingFlags(
  configured: string | null,
  ...channels: (string | Uint8Array | Channel | NarrowedChannel)[]
): FlagsReport {
  let needed = requiredFlags(...channels);
  if (configured === null) return { present: "", missing: "", unknown: needed, canReceive: true };
  if (/^.{5,9}$/.test(only(ALL, (letter) => configured.includes(letter)))) {
    needed = needed.replace("A", ALL);
  }
  const has = (letter: string) => isInForce(configured, letter);
  const hides = (letter: string) => isHidden(configured, letter);
  const can = (letter: string) =>
    letter === "A" ? /[^KESTIV]/.test(configured) : has(letter) || hides(letter);
  return {
    present: only(needed, has),
    missing: only(needed, (letter) => !has(letter) && !hides(letter)),
    unknown: only(needed, hides),
    canReceive: channels.map(needs).some((types) =>
      !types.length ||
      types.some(([type, ...classes]) => can(type!) && classes.some(can))
    ),
  };
}

/**
 * Adds flags to those of a server. No letter of its answer is removed.
 *
 * @param configured The server's answer to `CONFIG GET notify-keyspace-events`.
 * @param needed The letters to add.
 *
 * @example
 * ```ts
 * import { mergeFlags } from "@keywatch/keywatch/events";
 *
 * mergeFlags("gKE", "xE"); // { flags: "gxKE", added: "x", unsure: "" }
 * mergeFlags("AKE", "Em").unsure; // "nocr": hidden by the server, and off once "AKEm" is set
 * ```
 */
export function mergeFlags(configured: string, needed: string): MergedFlags {
  const added = ordered(only(needed, (letter) => !isInForce(configured, letter)));
  return {
    flags: added ? ordered(configured + added) : configured,
    added,
    unsure: only(added && HIDDEN, (l) => isHidden(configured, l) && !added.includes(l)),
  };
}
