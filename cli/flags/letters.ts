import { describeEvent, EventType } from "../../events/mod.ts";

/** What a letter of `notify-keyspace-events` stands for. */
export interface Letter {
  /** The letter. */
  readonly letter: string;
  /** What it turns on. */
  readonly meaning: string;
  /** Which servers know it; empty when all do. */
  readonly servers: string;
  /** What it is: a channel type, a class of events, or many classes. */
  readonly kind: "channel" | "class" | "classes";
}

const NAME_WIDTH = "__subkeyspaceevent@<db>__:<event>|<key>".length;

function channel(letter: string, name: string, payload: string, servers = ""): Letter {
  const meaning = `${`__${name}`.padEnd(NAME_WIDTH)}  ${payload}`;
  return { letter, meaning, servers, kind: "channel" };
}

function classOf(letter: string, meaning: string, servers = ""): Letter {
  return { letter, meaning, servers, kind: "class" };
}

/** Every letter, in the order in which people learn them. */
export const LETTERS: readonly Letter[] = [
  channel("K", "keyspace@<db>__:<key>", "event"),
  channel("E", "keyevent@<db>__:<event>", "key"),
  channel("S", "subkeyspace@<db>__:<key>", "event, fields", "Redis 8.8"),
  channel("T", "subkeyevent@<db>__:<event>", "key, fields", "Redis 8.8"),
  channel("I", "subkeyspaceitem@<db>__:<key>\\n<field>", "event", "Redis 8.8"),
  channel("V", "subkeyspaceevent@<db>__:<event>|<key>", "fields", "Redis 8.8"),
  classOf("g", "generic: whatever the type"),
  classOf("$", "strings"),
  classOf("l", "lists"),
  classOf("s", "sets"),
  classOf("h", "hashes"),
  classOf("z", "sorted sets"),
  classOf("t", "streams"),
  classOf("d", "modules' own types"),
  classOf("a", "arrays", "Redis 8.8"),
  classOf("x", "expired keys"),
  classOf("e", "evicted keys"),
  classOf("m", "reads of keys that are not there"),
  classOf("n", "keys that are new", "Redis 7.0"),
  classOf("o", "values that were replaced", "Redis 8.2"),
  classOf("c", "types that were replaced", "Redis 8.2"),
  classOf("r", "rate limits", "development versions"),
  {
    letter: "A",
    meaning: "the classes g$lshztdxe, and a where there is one; not m, n, o, c, r",
    servers: "",
    kind: "classes",
  },
];

const BY_LETTER: ReadonlyMap<string, Letter> = new Map(LETTERS.map((one) => [one.letter, one]));

/** What a letter stands for; undefined when no server knows it. */
export function letterOf(letter: string): Letter | undefined {
  return BY_LETTER.get(letter);
}

/** The events of a class, as the catalogue knows them; modules have more. */
export function eventsOf(letter: string): string[] {
  return Object.values(EventType).filter((event) => describeEvent(event).class === letter);
}
