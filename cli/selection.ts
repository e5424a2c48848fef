import {
  isPattern,
  KeyeventChannel,
  KeyspaceChannel,
  matchGlob,
  type NotificationChannel,
  SubkeyspaceChannel,
  SubkeyspaceeventChannel,
  SubkeyspaceitemChannel,
} from "../mod.ts";
import { describeEvent, type NarrowedChannel } from "../events/mod.ts";
import { type Arguments, type OptionGroup, UsageError } from "./command.ts";
import { messageOf } from "./message.ts";

/** The options that say which notifications are meant; patterns of keys are positional. */
export const SELECTION: OptionGroup = {
  title: "Which notifications",
  text: "Patterns of keys, such as 'user:*'. Without one, every key.",
  options: {
    event: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "only this event, or those that a glob matches, such as expired or 'h*'. May be " +
        "given several times",
      words: "event",
    },
    field: {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "changes of this field of hashes, or of those that a glob matches, '*' for all. May " +
        "be given several times. Needs the subkey notifications of Redis 8.8",
    },
  },
};

/** Which notifications were asked for. */
export class Selection {
  /** Patterns of keys; empty for every key. */
  readonly patterns: readonly string[];
  /** Events, or globs of them; empty for every event. */
  readonly events: readonly string[];
  /** Fields of hashes, or globs of them; empty for whole keys. */
  readonly fields: readonly string[];
  /** What to subscribe to. */
  readonly channels: readonly NotificationChannel[];

  /**
   * Works out the channels.
   *
   * @throws {UsageError} when there are none for what was asked
   */
  constructor(
    asked: Pick<Selection, "patterns" | "events" | "fields">,
    db: number | "*",
  ) {
    this.patterns = asked.patterns;
    this.events = asked.events;
    this.fields = asked.fields;
    try {
      this.channels = this.#channels(db);
    } catch (error) {
      throw new UsageError(messageOf(error));
    }
  }

  /**
   * Reads the arguments.
   *
   * @throws {UsageError} when they make no sense
   */
  static read(args: Arguments, db: number | "*"): Selection {
    const patterns = args.positionals;
    const events = args.texts("event");
    const fields = args.texts("field");
    for (const pattern of patterns) checkPattern(pattern);
    for (const event of events) checkEvent(event);
    if (fields.includes("")) throw new UsageError("a field is empty; --field '*' means all");
    return new Selection({ patterns, events, fields }, db);
  }

  /** Whether an event is one of those asked for. */
  takes(event: string): boolean {
    return this.events.length === 0 || this.events.some((glob) => matchGlob(glob, event));
  }

  /** The channels, each with the events that matter on it where they are known by name. */
  get needs(): (NotificationChannel | NarrowedChannel)[] {
    const { events } = this;
    if (events.length === 0 || events.some((event) => isPattern(event))) return [...this.channels];
    return this.channels.map((channel) => ({ channel, events }));
  }

  /** As people say it: the patterns, the events, the fields. */
  toString(): string {
    const { patterns, events, fields } = this;
    return [
      patterns.length === 0 ? "*" : patterns.join(" "),
      ...(events.length === 0 ? [] : [`(${events.join(", ")})`]),
      ...(fields.length === 0 ? [] : [`fields ${fields.join(" ")}`]),
    ].join(" ");
  }

  #channels(db: number | "*"): NotificationChannel[] {
    const { events, fields } = this;
    // The server sorts out the events that are asked for on every key, and the keys otherwise.
    if (this.patterns.length === 0 && fields.length === 0 && events.length > 0) {
      return events.map((event) => new KeyeventChannel(event, { db }));
    }
    const patterns = this.patterns.length === 0 ? ["*"] : this.patterns;
    if (fields.length === 0) return patterns.map((pattern) => new KeyspaceChannel(pattern, { db }));
    return patterns.flatMap((pattern) =>
      fields.flatMap((field): NotificationChannel[] => {
        if (field !== "*") return [new SubkeyspaceitemChannel(pattern, field, { db })];
        if (events.length === 0) return [new SubkeyspaceChannel(pattern, { db })];
        return events.map((event) => new SubkeyspaceeventChannel(event, pattern, { db }));
      })
    );
  }
}

function checkPattern(pattern: string): void {
  if (pattern === "") {
    throw new UsageError("a pattern is empty; leave it out to watch every key");
  }
}

/**
 * Refuses an event that would be waited for in vain.
 *
 * @throws {UsageError} when no server sends it
 */
export function checkEvent(event: string): void {
  if (event === "") throw new UsageError("an event is empty; leave --event out for every event");
  const { instead, text } = describeEvent(event);
  if (instead !== null) throw new UsageError(text);
}
