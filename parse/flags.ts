import { type Channel, toChannel } from "./channel.ts";
import { CLASSES, type EventName, NAMES } from "./event.ts";
import { FAMILIES } from "./families.ts";
import { matchGlob } from "./glob.ts";

/** The classes that `A` stands for on every server, in the servers' order. */
const ALL = "g$lshzxetd";

/** Left out of a server's answer once `A` is in it, although they may be in force. */
const HIDDEN = "nocr";

/** The letters of the families, in the order of `FAMILIES`. */
const FAMILY_LETTERS = "KESTIV";

/** The order of a server's answer. */
const ORDER = `A${ALL}a${HIDDEN}KEmSTIV`;

/** A channel with the only events on it that matter. */
export interface NarrowedChannel {
  /** What is subscribed to. */
  channel: string | Uint8Array | Channel;
  /** The events that matter; for others the server need not be told to send any. */
  events: readonly EventName[];
}

/** What {@linkcode missingFlags} finds, each as letters in the servers' order. */
export interface FlagsReport {
  /** Needed, and in force. */
  present: string;
  /** Needed, and not in force. */
  missing: string;
  /** Needed, and the server does not tell: it hides `n`, `o`, `c` and `r` behind `A`. */
  unknown: string;
  /** `false` for certain: the server will never send anything on any of the channels. */
  canReceive: boolean;
}

/** What {@linkcode mergeFlags} makes. */
export interface MergedFlags {
  /** The flags to set. */
  flags: string;
  /** Which of them are new, or cannot be told from the answer: nothing to set if it is empty. */
  added: string;
  /** Letters that may be in force behind `A`, and that setting `flags` would turn off. */
  unsure: string;
}

/** Each letter once and in order, without what `A` covers; letters nobody knows come last. */
function ordered(letters: Iterable<string>): string {
  const set = new Set(letters);
  if (set.has("A")) { for (const letter of ALL + "a") set.delete(letter); }
  return [...ORDER].filter((letter) => set.delete(letter)).join("") + [...set].join("");
}

/**
 * Reads the value of `notify-keyspace-events`.
 *
 * @param text Letters in any order, also ones that are not known.
 * @returns The letters, with the ten that `A` stands for in its place.
 *
 * @example
 * ```ts
 * import { parseFlags } from "@keywatch/keywatch/parse";
 *
 * parseFlags("AKE").has("x"); // true
 * ```
 */
export function parseFlags(text: string): Set<string> {
  return new Set(text.replace("A", ALL));
}

/**
 * Writes a value for `notify-keyspace-events`, in the order in which servers answer.
 *
 * @param flags Letters, as a text or one by one; letters that are not known come last.
 * @returns Each letter once, and `A` for the ten it stands for.
 *
 * @example
 * ```ts
 * import { printFlags } from "@keywatch/keywatch/parse";
 *
 * printFlags("xEKg"); // "gxKE"
 * ```
 */
export function printFlags(flags: Iterable<string>): string {
  const set = new Set(flags);
  if ([...ALL].every((letter) => set.has(letter))) set.add("A");
  return ordered(set);
}

/**
 * The least flags with which a server sends all that is asked for.
 *
 * Events outside `A` count only where nothing else is asked for: `K` and `A` for a whole keyspace,
 * without `m` for key misses.
 *
 * @param channels What is subscribed to.
 * @returns Empty when none of the channels is a notification's.
 *
 * @example
 * ```ts
 * import { KeyeventChannel, KeyspaceChannel, requiredFlags } from "@keywatch/keywatch/parse";
 *
 * requiredFlags(new KeyeventChannel("expired")); // "xE"
 * requiredFlags({ channel: new KeyspaceChannel("user:*"), events: ["set", "del"] }); // "g$K"
 * ```
 */
export function requiredFlags(
  ...channels: (string | Uint8Array | Channel | NarrowedChannel)[]
): string {
  return ordered(channels.map(needs).join(""));
}

/** The letters one channel needs. */
function needs(value: string | Uint8Array | Channel | NarrowedChannel): string {
  const narrowed = typeof value === "object" && "events" in value ? value : null;
  const channel = toChannel(narrowed ? narrowed.channel : value as Channel);
  const text = channel.toString();
  const plain = channel.isPattern ? text.replace(/[*?[\\].*/s, "") : text;
  const families = FAMILIES.flatMap((type, i) => {
    const prefix = `__${type}@`;
    return prefix.startsWith(plain) || plain.startsWith(prefix) ? [i] : [];
  });
  const family = families[0];
  if (family === undefined) return "";
  // A pattern that begins before the families part is not asked to bring the subkeys' ones along,
  // whose letters most servers refuse.
  const letters = families.filter((i) => family > 1 || i < 2).map((i) => FAMILY_LETTERS[i]).join(
    "",
  );
  let events: readonly string[] | undefined = narrowed?.events;
  if (!events && families.length === 1) {
    const rest = /__:(.*)/s.exec(text)?.[1];
    const glob = family === 1 || family === 3
      ? rest
      : family === 5
      ? rest?.split("|")[0]
      : undefined;
    if (glob !== undefined && !/^\**$/.test(glob)) {
      events = channel.isPattern ? NAMES.filter((name) => matchGlob(glob, name)) : [glob];
    }
  }
  const classes = (events ?? []).map((event) => CLASSES[NAMES.indexOf(event as "set")] ?? "A").join(
    "",
  );
  const usual = classes.replace(/[^Ag$lshzxetd]/g, "");
  return letters + (usual || classes || (family > 1 ? "h" : "A"));
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
 * import { KeyeventChannel, missingFlags } from "@keywatch/keywatch/parse";
 *
 * missingFlags("KE$", new KeyeventChannel("expired")).missing; // "x"
 * missingFlags("AKE", new KeyeventChannel("new")).unknown; // "n"
 * ```
 */
export function missingFlags(
  configured: string | null,
  ...channels: (string | Uint8Array | Channel | NarrowedChannel)[]
): FlagsReport {
  const needed = requiredFlags(...channels);
  if (configured === null) return { present: "", missing: "", unknown: needed, canReceive: true };
  const of = (state: number) =>
    [...needed].filter((l) => stateOf(configured, l) === state).join("");
  return {
    present: of(0),
    missing: of(1),
    unknown: of(2),
    canReceive: channels.some((channel) => {
      const letters = [...needs(channel)];
      const can = (letter: string) =>
        letter === "A" ? /[^KESTIV]/.test(configured) : stateOf(configured, letter) !== 1;
      const isFamily = (letter: string) => FAMILY_LETTERS.includes(letter);
      return letters.length === 0 ||
        letters.some((l) => isFamily(l) && can(l)) && letters.some((l) => !isFamily(l) && can(l));
    }),
  };
}

/** 0 in force, 1 not in force, 2 cannot be told. */
function stateOf(configured: string, letter: string): 0 | 1 | 2 {
  const all = printFlags(parseFlags(configured)).includes("A");
  if (configured.includes(letter) || all && (ALL + "aA").includes(letter)) return 0;
  return all && HIDDEN.includes(letter) ? 2 : 1;
}

/**
 * Adds flags to those a server answered. No letter of the answer is dropped.
 *
 * @param configured The server's answer to `CONFIG GET notify-keyspace-events`.
 * @param needed The letters to add.
 *
 * @example
 * ```ts
 * import { mergeFlags } from "@keywatch/keywatch/parse";
 *
 * mergeFlags("gKE", "xE"); // { flags: "gxKE", added: "x", unsure: "" }
 * mergeFlags("AKE", "Em").unsure; // "nocr": hidden by the server, and off once "AKEm" is set
 * ```
 */
export function mergeFlags(configured: string, needed: string): MergedFlags {
  const added = ordered([...needed].filter((letter) => stateOf(configured, letter)));
  return {
    flags: added ? ordered(configured + added) : configured,
    added,
    unsure: added
      ? [...HIDDEN].filter((l) => stateOf(configured, l) === 2 && !added.includes(l)).join("")
      : "",
  };
}
