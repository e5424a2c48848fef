import {
  type Channel,
  ChannelType,
  escapeGlob,
  type EventName,
  matchGlob,
  toChannel,
} from "../parse/mod.ts";
import { describeEvent, EVENTS } from "./event.ts";

/** The classes that `A` stands for on every server. */
const ALL = "g$lshzxetd";

/** Left out of a server's answer once `A` is in it, although they may be in force. */
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

/** The letters that not every server knows, and the first version of Redis that knows them. */
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

/** The last version of Valkey whose letters are known. They are those of Redis 7.2, its origin. */
const KNOWN_VALKEY = 9;

/**
 * Returns the letters that a server does not know. It rejects a whole value for one of them, and
 * sends no events of their classes.
 *
 * @param letters Any letters. `A`, which all servers know, is ignored.
 * @param server The server. The result is empty if its software or version is not known.
 */
export function unknownFlags(letters: string, { software, version }: Product): string {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? "")?.map(Number) ?? [];
  const isValkey = software === "valkey" && major! <= KNOWN_VALKEY;
  if (major === undefined || software !== "redis" && !isValkey) return "";
  const [most, least] = isValkey ? [7, 2] : [major, minor!];
  return SINCE.flatMap(([known, since, sinceMinor]) =>
    since > most || since === most && sinceMinor > least
      ? only(letters, (letter) => known.includes(letter))
      : ""
  ).join("");
}

/** Returns the other letters: those that the server does not reject, as far as that is known. */
export function knownFlags(letters: string, server: Product): string {
  const unknown = unknownFlags(letters, server);
  return only(letters, (letter) => !unknown.includes(letter));
}

/** Names the first version of Redis that knows all of these letters; null if every server does. */
export function sinceWhen(letters: string): string | null {
  const [, major, minor] =
    SINCE.findLast(([newer]) => only(letters, (letter) => newer.includes(letter))) ?? [];
  if (major === undefined) return null;
  return major === 255 ? "a development version of Redis" : `Redis ${major}.${minor}`;
}

/** What {@linkcode missingOn} finds. */
export interface ServerReport extends FlagsReport {
  /** The missing letters that the server does not know. */
  foreign: string;
  /** The missing letters to set. The server knows them, and can send events on their channels. */
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
  // It knows every letter that it has set, whatever software it reports.
  const known = only(letters, (l) => configured.includes(l) || !unknown.includes(l));
  return missingFlags(known, channel).canReceive;
}

/**
 * A channel with the only events on it that matter.
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
  /** What is subscribed to. */
  channel: string | Uint8Array | Channel;
  /** The events that matter; for others the server need not be told to send any. */
  events: readonly EventName[];
}

/**
 * What {@linkcode missingFlags} finds, each as letters in the servers' order.
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
  /** Needed, and in force. */
  present: string;
  /**
   * Needed, and not in force. Of `A` the single letters, unless most of those it stands for are not
   * in force: then it is `A`.
   */
  missing: string;
  /** Needed, and the server does not tell: it hides `n`, `o`, `c` and `r` behind `A`. */
  unknown: string;
  /** `false` for certain: the server will never send anything on any of the channels. */
  canReceive: boolean;
}

/**
 * What {@linkcode mergeFlags} makes.
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
  /** Which of them are new, or cannot be told from the answer: nothing to set if it is empty. */
  added: string;
  /** Letters that may be in force behind `A`, and that setting `flags` would turn off. */
  unsure: string;
}

/** Each letter once and in order, without what `A` covers; letters nobody knows come last. */
function ordered(letters: string): string {
  const covered = letters.includes("A") ? `${ALL}a` : "";
  return only(new Set(ORDER + letters), (l) => letters.includes(l) && !covered.includes(l));
}

function only(letters: Iterable<string>, test: (letter: string) => boolean): string {
  return [...letters].filter(test).join("");
}

/** Whether all that `A` stands for everywhere is there. */
function hasAll(flags: string): boolean {
  return !only(ALL, (letter) => !flags.includes(letter));
}

function isInForce(flags: string, letter: string): boolean {
  return flags.includes(letter) || letter === "A" && hasAll(flags) ||
    flags.includes("A") && `${ALL}a`.includes(letter);
}

/** Whether the answer leaves open if a letter is in force. */
function isHidden(flags: string, letter: string): boolean {
  return flags.includes("A") && HIDDEN.includes(letter) && !flags.includes(letter);
}

/**
 * Reads the value of `notify-keyspace-events`.
 *
 * @param text Letters in any order, also ones that are not known.
 * @returns The letters, with the ten that `A` stands for everywhere in its place. Servers that know
 * arrays, from Redis 8.8 on, count `a` among them.
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
 * Writes a value for `notify-keyspace-events`, in the order in which servers answer.
 *
 * @param flags Letters, as a text or one by one; letters that are not known come last.
 * @returns Each letter once, and `A` for the ten it stands for.
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
 * The least flags with which a server sends all that is asked for.
 *
 * Each event that is named counts, by its channel or in a list. Of the events that a glob matches,
 * those outside `A` count only where it matches no others: `K` and `A` for a whole keyspace, without
 * `m` for key misses. A pattern that matches channels of several types needs the letters of each,
 * but `S`, `T`, `I` and `V` only where `K` and `E` cannot bring anything on it.
 *
 * @param channels What is subscribed to.
 * @returns Empty when none of the channels is a notification's.
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

/** The letters one channel needs, for each channel type that it matches: that of the type comes first. */
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
    // What takes a name that no event has takes any.
    const classes = (events?.map(describeEvent) ??
      (matchGlob(event, "\0") ? [] : EVENTS.filter(({ name }) => matchGlob(event, name))))
      .map((found) => found.class ?? "A").join("");
    const most = events ? "" : only(classes, (letter) => (i < 2 ? ALL : all).includes(letter));
    return TYPE_LETTERS[i]! + (most || classes || all);
  }).filter(Boolean);
}

/**
 * Lays the flags a server answered against those that subscriptions need.
 *
 * @param configured The server's answer to `CONFIG GET notify-keyspace-events`, or `null` when it
 * does not tell.
 * @param channels What is subscribed to.
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
 * Adds flags to those a server answered. No letter of the answer is dropped.
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
