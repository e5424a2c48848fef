import { sleep } from "../servers/mod.ts";
import { type Book, keyOf, type WriteEvent } from "./book.ts";
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
  readonly text: string;
  readonly place: Place | undefined;
  appended: boolean;
}

/** What is written into a key; each tells what came first. */
export const VALUES = { set: "s", append: "a" } as const;

const TICK = 5;

/** How many keys there are at most. */
const KEYS = 1000;

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
    while (!this.#stopping) {
      const now = performance.now();
      // What could not be written in time is not made up for, beyond a tenth of a second.
      due = Math.min(due + (now - last) * rate / 1000, rate / 10);
      last = now;
      const count = Math.floor(due);
      due -= count;
      if (!this.paused) this.#write(count);
      await sleep(TICK);
    }
  }

  #write(count: number): void {
    const sentAt = Date.now();
    const batches = new Map<Lane, Command[]>();
    for (; count > 0; count--) this.#add(batches, sentAt);
    for (const [lane, commands] of batches) lane.send(commands);
  }

  /** Adds the next write, unless there is no way to its server now. */
  #add(batches: Map<Lane, Command[]>, sentAt: number): void {
    const { event, key } = this.#next();
    const place = key === undefined ? this.#options.place?.() : key.place;
    const way = place && this.#options.route?.(place.slot);
    const lane = this.#lanes[way?.lane ?? 0]!;
    const { name } = lane;
    if (name === null) {
      // Another key's server may be there.
      if (event === "del") this.#keys.push(this.#keys.shift()!);
      return;
    }
    const number = this.#options.book.writes.length + 1;
    const text = key?.text ?? keyOf(number, place?.tag, this.padding);
    const used = key ?? { number, text, place, appended: false };
    if (event === "set") this.#keys.push(used);
    if (event === "append") used.appended = true;
    if (event === "del") this.#keys.shift();
    if (!batches.has(lane)) batches.set(lane, []);
    batches.get(lane)!.push(...this.#commands(event, used, name, way, sentAt));
  }

  /** Enters a write, and says what is to be sent. */
  #commands(
    event: WriteEvent,
    key: Key,
    lane: string,
    way: Way | undefined,
    sentAt: number,
    patience = 3,
  ): Command[] {
    const { book, redirect } = this.#options;
    const { place, text } = key;
    const entry = book.enter(event, {
      lane,
      ...(place && way ? { node: way.node, slot: place.slot } : {}),
      sentAt,
      answeredAt: null,
      refused: false,
    }, key.number);
    const words = event === "del" ? ["DEL", text] : [event.toUpperCase(), text, VALUES[event]];
    const onError = (line: string) => {
      const elsewhere = redirect?.(line);
      const other = elsewhere && this.#lanes[elsewhere.lane]!;
      if (!other || other.name === null || patience === 0) return;
      const now = Date.now();
      other.send(this.#commands(event, key, other.name, elsewhere, now, patience - 1));
    };
    const asking: Command[] = way?.asking ? [{ words: ["ASKING"], entry: null }] : [];
    return [...asking, { words, entry, onError }];
  }

  /** What is written next: a new key; now and then more to one that is there; or one too many goes. */
  #next(): { event: WriteEvent; key?: Key } {
    if (this.#keys.length > KEYS) return { event: "del", key: this.#keys[0]! };
    this.#turn++;
    const key = this.#keys[(this.#turn * 7) % (this.#keys.length || 1)];
    return this.#turn % 3 === 0 && key && !key.appended
      ? { event: "append", key }
      : { event: "set" };
  }
}
