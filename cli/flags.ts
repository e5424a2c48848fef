import { unknownFlags } from "../events/flags.ts";
import {
  describeEvent,
  type NarrowedChannel,
  parseFlags,
  printFlags,
  requiredFlags,
} from "../events/mod.ts";
import { type Channel, getChannelType, isPattern, toChannel } from "../mod.ts";
import { type Arguments, type Command, type Context, quoted, UsageError } from "./command.ts";
import { eventsOf, type Letter, letterOf, LETTERS } from "./flags/letters.ts";
import { doubtsOf, EVENT_NAMES } from "./doubts.ts";
import { nearest } from "../pubsub/connection/nearest.ts";
import type { Output } from "./output.ts";
import { printable } from "../pubsub/connection/printable.ts";
import { checkEvent, SELECTION, Selection } from "./selection.ts";
import { wrap } from "./wrap.ts";

/** The command that explains `notify-keyspace-events`. */
export const flags: Command = {
  summary: "explains notify-keyspace-events, and says which letters are needed",
  usage: "flags [LETTERS | explain LETTERS | for PATTERN… EVENT… [--event NAME]]",
  about: [
    "Explains the letters of notify-keyspace-events, the setting without which a server sends " +
    "nothing. No server is asked.",
    "  flags                      every letter\n" +
    "  flags LETTERS              what a value lets through\n" +
    "  flags for PATTERN… EVENT…  the least value that is needed",
    "The words after for are patterns of keys, of which everything is meant; names of events on " +
    "any key; or whole channels such as __keyevent@0__:expired.",
  ],
  groups: [SELECTION],
  words: ["explain", "for"],
  examples: [
    "keywatch flags KEA",
    "keywatch flags for expired",
    "keywatch flags for 'user:*' 'session:*' evicted",
    "keywatch flags for 'order:*' --event del --event expired",
  ],

  run(args: Arguments, { output }: Context): Promise<number> {
    const [verb, ...words] = args.positionals;
    if (verb !== "for" && (args.texts("event").length > 0 || args.texts("field").length > 0)) {
      throw new UsageError("--event and --field go with flags for");
    }
    if (verb === undefined) listLetters(output);
    else if (verb === "explain") explain(words, output);
    else if (verb === "for") work(words, args, output);
    else if (isValue(verb)) explain(args.positionals, output);
    else throw new UsageError(`flags takes letters, explain or for, not ${quoted(verb)}`);
    return Promise.resolve(0);
  },
};

/** Whether a word is letters, as in `flags KEA`. The empty value turns notifications off. */
function isValue(word: string): boolean {
  return [...word].every((letter) => letterOf(letter) !== undefined);
}

function listLetters(output: Output): void {
  const channels = LETTERS.filter(({ kind }) => kind === "channel");
  section("Channels, of which at least one is needed, and what they carry", channels, output);
  const classes = LETTERS.filter(({ kind }) => kind === "class");
  section("Classes of events, of which at least one is needed", classes, output);
  section("Many classes at once", LETTERS.filter(({ kind }) => kind === "classes"), output);
  showNote(HIDDEN_NOTE, output);
}

const HIDDEN_NOTE =
  "Once A is set, CONFIG GET does not show n, o, c and r, even where they are in " +
  "force; to set the value it shows again turns them off.";

function section(title: string, letters: readonly Letter[], output: Output): void {
  if (letters.length === 0) return;
  for (const line of wrap(title, "", output.width)) output.line(output.paint("bold", line));
  for (const letter of letters) {
    showLetter(letter, output);
    const events = letter.kind === "class" ? eventsOf(letter.letter).join(" ") : "";
    if (events === "") continue;
    for (const line of wrap(events, "     ", output.width)) output.line(output.paint("gray", line));
  }
  output.line("");
}

function showLetter({ letter, meaning, servers }: Letter, output: Output): void {
  const text = servers === "" ? meaning : `${meaning} (${servers})`;
  const [first, ...rest] = wrap(text, " ".repeat(5), output.width);
  output.line(`  ${output.paint("green", letter)}  ${first!.trimStart()}`);
  for (const line of rest) output.line(line);
}

function showNote(text: string, output: Output): void {
  for (const line of wrap(text, "", output.width)) output.line(output.paint("gray", line));
}

function explain(words: readonly string[], output: Output): void {
  const [text, ...more] = words;
  if (text === undefined || more.length > 0) {
    throw new UsageError("flags explain takes one value, such as KEA");
  }
  const given = new Set(text);
  const unknown = [...given].filter((letter) => letterOf(letter) === undefined);
  if (unknown.length > 0) {
    throw new UsageError(`no server knows ${unknown.map((letter) => `"${letter}"`).join(", ")}`);
  }
  const covered = text.includes("A") ? parseFlags("Aa") : new Set<string>();
  const channels = LETTERS.filter(({ kind, letter }) => kind === "channel" && given.has(letter));
  const classes = LETTERS.filter(({ kind }) => kind === "class");
  const byA = classes.filter(({ letter }) => covered.has(letter));
  const others = classes.filter(({ letter }) => given.has(letter) && !covered.has(letter));
  section("Channels, and what they carry", channels, output);
  section("Classes of events, by A", byA, output);
  section("Classes of events", others, output);
  const why = text === ""
    ? "An empty value turns notifications off."
    : channels.length === 0
    ? "Nothing is sent: there is no channel; add K or E."
    : byA.length + others.length === 0
    ? "Nothing is sent: there is no class of events; add A, or single ones."
    : null;
  if (why !== null) return output.line(output.paint("red", why));
  const short = printFlags(text);
  if (short.length < given.size) output.line(`The same, shorter: ${short}`);
  if (text.includes("A")) showNote(HIDDEN_NOTE, output);
}

function work(words: readonly string[], args: Arguments, output: Output): void {
  const asked = readAsked(words, args, output);
  const needed = requiredFlags(...asked);
  if (needed === "") throw new UsageError("none of these is a channel of notifications");
  output.line(output.paint("bold", needed));
  const named = asked.map((one) => {
    const channel = "events" in one ? one.channel : one;
    const events = "events" in one ? ` (${one.events.join(", ")})` : "";
    return { name: printable(`${channel}`) + events, letters: requiredFlags(one) };
  });
  for (const { name, letters } of named) {
    output.line(`  ${output.paint("green", letters.padEnd(needed.length))}  ${name}`);
  }
  output.line("");
  for (const letter of LETTERS) if (needed.includes(letter.letter)) showLetter(letter, output);
  output.line("");
  output.line(`redis-cli CONFIG SET notify-keyspace-events '${needed}'`);
  showNote(SET_NOTE, output);
  const restricted = LETTERS.filter(({ letter, servers }) => servers && needed.includes(letter));
  if (restricted.length === 0) return;
  const each = restricted.map(({ letter, servers }) => `${letter} takes ${servers}`).join(", ");
  const valkey = unknownFlags(needed, { software: "valkey", version: "9.1" });
  const none = valkey === "" ? "" : `; Valkey has no ${[...valkey].join(", ")}`;
  showNote(
    `A server rejects the value for a letter that it does not know: ${each}${none}.`,
    output,
  );
}

const SET_NOTE = "It replaces what is set: add the letters that others need, which CONFIG GET " +
  "notify-keyspace-events shows. In a cluster, run it on every node.";

/** What was asked for, each with its channel. */
function readAsked(
  words: readonly string[],
  args: Arguments,
  output: Output,
): (Channel | NarrowedChannel)[] {
  const events = args.texts("event");
  const fields = args.texts("field");
  for (const event of events) checkEvent(event);
  const others: Channel[] = [];
  const patterns: string[] = [];
  for (const word of words) {
    if (getChannelType(word) !== null) others.push(toChannel(word));
    else if (isEvent(word)) {
      others.push(...new Selection({ ...NOTHING, events: [word] }, "*").channels);
    } else patterns.push(word);
  }
  const isAll = words.length === 0 && (events.length > 0 || fields.length > 0);
  if (words.length === 0 && !isAll) {
    throw new UsageError("flags for takes patterns of keys, events, or whole channels");
  }
  for (const doubt of doubtsOf({ patterns: [], events })) output.note(doubt, "yellow");
  for (const pattern of patterns) {
    const near = isPattern(pattern) ? undefined : nearest(pattern, EVENT_NAMES);
    if (near === undefined) continue;
    output.note(`${pattern} is taken for a key; did you mean the event ${near}?`, "yellow");
  }
  if (patterns.includes("")) throw new UsageError("a pattern is empty; '*' is every key");
  const selected = patterns.length > 0 || isAll
    ? new Selection({ patterns, events, fields }, "*").needs
    : [];
  return [...selected, ...others];
}

const NOTHING = { patterns: [], events: [], fields: [] } as const;

/**
 * Whether it is the name of an event, not a key.
 *
 * @throws {UsageError} when it is a name that people take for one
 */
function isEvent(word: string): boolean {
  const { class: letter, instead, text } = describeEvent(word);
  if (letter !== null) return true;
  if (instead === null) return false;
  throw new UsageError(`${text}; for a key of that name write __keyspace@*__:${word}`);
}
