import { sleep } from "../servers/mod.ts";
import { type Book, type Entry, keyOf, type WriteEvent } from "./book.ts";
import { type Command, Lane, type LaneOptions } from "./lane.ts";

/** Where a new key goes in a cluster. */
export interface Place {
  readonly slot: number;
  /** A hash tag of that slot. */
  readonly tag: string;
}

export interface WriterOptions {
  readonly book: Book;
  /** Writes per second. */
  readonly rate: number;
  /** Whether keys also expire and are renamed. */
  readonly everyKind?: boolean;
  readonly lanes: readonly LaneOptions[];
  /** The next place, in a cluster. */
  place?(): Place;
  /** Which lane leads to the owner of a slot, and the owner's name, in a cluster. */
  route?(slot: number): Way;
  /** The way that an error reply names, in a cluster; null when it names none. */
  redirect?(line: string): Way | null;
}

/** A way to a server. */
export interface Way {
  /** The place of the lane. */
  readonly lane: number;
  /** The server, as `host:port`. */
  readonly node: string;
  /** Whether it takes a key of a slot that is not its own yet. */
  readonly asking?: boolean;
}

/** A key that was set. */
interface Key {
  readonly number: number;
  text: string;
  readonly place: Place | undefined;
  appended: boolean;
  renamed: boolean;
}

/** A key whose time runs out. */
interface ExpiringKey {
  readonly key: Key;
  /** When it surely has, in ms since the epoch. */
  readonly overAt: number;
  readonly set: Entry;
  readonly expired: Entry;
}

type NextWrite = "set" | "append" | "del" | "rename" | "set with expiry";

/** What is written into a key; each says what came first. */
export const VALUES = { set: "s", append: "a" } as const;

const TICK = 5;

/** How many keys there are at most. */
const KEYS = 1000;

/** How long a key lives that expires, in ms: at least, and at most. */
const TTL = [150, 400] as const;

/** How much earlier than that a server may find a key expired whose clock is read less often, in ms. */
const CLOCK = 5;

/** How long after that servers get to find it themselves before it is looked at, in ms. */
const LOOK = 50;

/**
 * Sets keys with a number in them, appends to some and deletes them in the end, without pause, and
 * keeps book of it. Each write is tried once, whatever becomes of it; but one that a server of a
 * cluster refuses because it is another's is another write there.
 */
export class Writer implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #lanes: readonly Lane[];
  readonly #running: Promise<void>;
  readonly #keys: Key[] = [];
  #expiring: ExpiringKey[] = [];
  #stopping = false;
  #turn = 0;
  /** How many bytes each key is longer than it must be. */
  padding = 0;
  /** Whether nothing is written for now. */
  paused = false;

  /** Starts at once. */
  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lanes = options.lanes.map((lane) => new Lane(lane));
    this.#running = this.#run();
  }

  /** Resolves once everything that was sent is answered, or will never be. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    const { rate } = this.#options;
    let last = performance.now();
    let due = 0;
    let deadline = Infinity;
    while (!this.#stopping || (this.#expiring.length > 0 && performance.now() < deadline)) {
      const now = performance.now();
      // What could not be written in time is not made up for, beyond a tenth of a second.
      due = Math.min(due + (now - last) * rate / 1000, rate / 10);
      last = now;
      const count = Math.floor(due);
      due -= count;
      if (this.#stopping) deadline = Math.min(deadline, now + 10_000);
      this.#write(this.paused || this.#stopping ? 0 : count);
      await sleep(TICK);
    }
  }

  #write(count: number): void {
    const sentAt = Date.now();
    const batches = new Map<Lane, Command[]>();
    for (; count > 0; count--) this.#add(batches, sentAt);
    this.#lookAtExpired(batches, sentAt);
    for (const [lane, commands] of batches) lane.send(commands);
  }

  /** Adds the next write, unless there is no way to its server now. */
  #add(batches: Map<Lane, Command[]>, sentAt: number): void {
    const { write, key } = this.#next();
    const place = key === undefined ? this.#options.place?.() : key.place;
    const way = place && this.#options.route?.(place.slot);
    const lane = this.#lanes[way?.lane ?? 0]!;
    if (lane.name === null) {
      // Another key's server may be there.
      if (write === "del") this.#keys.push(this.#keys.shift()!);
      return;
    }
    const number = this.#options.book.writes.length + 1;
    const used = key ?? {
      number,
      text: keyOf(number, place?.tag, this.padding),
      place,
      appended: false,
      renamed: false,
    };
    if (write === "set") this.#keys.push(used);
    if (write === "append") used.appended = true;
    if (write === "rename") used.renamed = true;
    if (write === "del") this.#keys.shift();
    add(batches, lane, this.#commands(write, used, lane.name, way, sentAt));
  }

  /** Enters a write, and says what is to be sent. */
  #commands(
    write: NextWrite,
    key: Key,
    lane: string,
    way: Way | undefined,
    sentAt: number,
    patience = 3,
    // Another reply may have changed it meanwhile, and a command stays what it is.
    text = key.text,
  ): Command[] {
    const enter = (event: WriteEvent, changes: Partial<Omit<Entry, "number">> = {}) =>
      this.#options.book.enter(event, {
        lane,
        ...(key.place && way ? { node: way.node, slot: key.place.slot } : {}),
        sentAt,
        answeredAt: null,
        refused: false,
        ...changes,
      }, key.number);
    const again = (line: string) => {
      const elsewhere = this.#options.redirect?.(line);
      const other = elsewhere && this.#lanes[elsewhere.lane]!;
      if (!other || other.name === null || patience === 0) return false;
      const now = Date.now();
      other.send(this.#commands(write, key, other.name, elsewhere, now, patience - 1, text));
      return true;
    };
    const asking: Command[] = way?.asking ? [{ words: ["ASKING"] }] : [];
    const onReply = (line: string) => void (line.startsWith("-") && again(line));
    switch (write) {
      case "set":
      case "append": {
        const words = [write.toUpperCase(), text, VALUES[write]];
        return [...asking, { words, entries: [enter(write)], onReply }];
      }
      case "del":
        return [...asking, {
          words: ["DEL", text],
          entries: [enter(write)],
          refusal: ":0",
          onReply,
        }];
      case "rename": {
        const renamed = `${text}r`;
        key.text = renamed;
        const onReply = (line: string) => {
          if (!line.startsWith("-")) return;
          key.text = text;
          again(line);
        };
        const entries = [enter("rename_from"), enter("rename_to")];
        return [...asking, { words: ["RENAME", text, renamed], entries, onReply }];
      }
      case "set with expiry": {
        const [least, most] = TTL;
        const ttl = least + key.number % (most - least);
        const [set, expire] = [enter("set"), enter("expire")];
        // No other write of the lane comes before or after it.
        const lane = `expiry of ${key.number}`;
        const expired = enter("expired", { lane, sentAt: sentAt + ttl - CLOCK });
        this.#expiring.push({ key, overAt: sentAt + ttl + LOOK, set, expired });
        const onReply = (line: string) => {
          if (!line.startsWith("-")) return;
          expired.refused = true;
          again(line);
        };
        const words = ["SET", text, VALUES.set, "PX", `${ttl}`];
        return [...asking, { words, entries: [set, expire], onReply }];
      }
    }
  }

  /** Asks for keys that has expired: once a server says that such a key is gone, it has expired. */
  #lookAtExpired(batches: Map<Lane, Command[]>, now: number): void {
    const waiting: ExpiringKey[] = [];
    for (const expiring of this.#expiring) {
      const { key, overAt, set, expired } = expiring;
      if (expired.refused) continue;
      const way = key.place && this.#options.route?.(key.place.slot);
      const lane = this.#lanes[way?.lane ?? 0]!;
      if (overAt > now || set.answeredAt === null || lane.name === null) {
        waiting.push(expiring);
        continue;
      }
      add(batches, lane, [this.#look(expiring)]);
    }
    this.#expiring = waiting;
  }

  #look(expiring: ExpiringKey): Command {
    const onReply = (line: string) => {
      if (line === ":0") expiring.expired.answeredAt = Date.now();
      else this.#lookAgain(expiring, line);
    };
    return { words: ["EXISTS", expiring.key.text], onReply };
  }

  /** Follows a redirection, or waits for the next turn. */
  #lookAgain(expiring: ExpiringKey, line: string): void {
    const elsewhere = this.#options.redirect?.(line);
    const other = elsewhere && this.#lanes[elsewhere.lane]!;
    if (!other || other.name === null) return void this.#expiring.push(expiring);
    other.send([...(elsewhere.asking ? [{ words: ["ASKING"] }] : []), this.#look(expiring)]);
  }

  /** What is written next: a new key; now and then more to one that is there; or one too many goes. */
  #next(): { write: NextWrite; key?: Key } {
    if (this.#keys.length > KEYS) return { write: "del", key: this.#keys[0]! };
    this.#turn++;
    const key = this.#keys[(this.#turn * 7) % (this.#keys.length || 1)];
    if (this.#turn % 3 === 0 && key && !key.appended) return { write: "append", key };
    if (this.#options.everyKind) {
      if (this.#turn % 5 === 0 && key && !key.renamed) return { write: "rename", key };
      if (this.#turn % 4 === 0) return { write: "set with expiry" };
    }
    return { write: "set" };
  }
}

function add(batches: Map<Lane, Command[]>, lane: Lane, commands: readonly Command[]): void {
  const batch = batches.get(lane);
  if (batch === undefined) batches.set(lane, [...commands]);
  else batch.push(...commands);
}
