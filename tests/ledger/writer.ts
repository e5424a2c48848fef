import { sleep } from "../servers/mod.ts";
import type { Write } from "./ledger.ts";

/** Numbered changes of one kind, to one server. */
export interface LaneOptions {
  /** For the ledger; each connection's writes are in an order of their own. */
  readonly name: string;
  /** The server, asked anew for each connection. */
  target(): { readonly host: string; readonly port: number };
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Writes per second. */
  readonly rate: number;
  /** Where the next write goes, in a cluster: a hash tag of its slot, and the server's name. */
  place?(): { readonly tag: string; readonly slot: number; readonly node: string };
}

/** An answer that means another server, or this one a little later. */
const ELSEWHERE = /^-(?:READONLY|LOADING|MASTERDOWN|NOAUTH|CLUSTERDOWN)/;

const TICK = 5;

/** How many writes may wait for their answer, so that a server that hangs costs bounded memory. */
const WINDOW = 20_000;

/** How many keys of a lane there are at most. */
const KEYS = 1000;

type Entry = { -readonly [Name in keyof Write]: Write[Name] };

/** The number in the key of a write; null if it is another's key. */
export function numberOf(key: string): number | null {
  const number = /^n:(\d+):/.exec(key)?.[1];
  return number === undefined ? null : Number(number);
}

/**
 * Sets keys with a number in them, without pause, and keeps book of it: each number once, whatever
 * becomes of it. A `set` event of such a key is what a watcher must get. Connections that end are
 * made anew until it is stopped.
 */
export class Writer implements AsyncDisposable {
  readonly #entries: Entry[] = [];
  readonly #lanes: Lane[];
  /** How many bytes each key is longer than it must be. */
  padding = 0;

  /** Starts at once. */
  constructor(lanes: readonly LaneOptions[]) {
    this.#lanes = lanes.map((options) =>
      new Lane(options, {
        padding: () => this.padding,
        enter: (entry) => {
          const number = this.#entries.length + 1;
          this.#entries.push({ ...entry, number });
          return this.#entries.at(-1)!;
        },
      })
    );
  }

  get writes(): readonly Write[] {
    return this.#entries;
  }

  /** Resolves once everything that was sent is answered, or will never be. */
  async stop(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

interface Book {
  padding(): number;
  enter(entry: Omit<Entry, "number">): Entry;
}

class Lane {
  readonly #options: LaneOptions;
  readonly #book: Book;
  readonly #running: Promise<void>;
  #stopping = false;
  #connections = 0;

  constructor(options: LaneOptions, book: Book) {
    this.#options = options;
    this.#book = book;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const { host, port } = this.#options.target();
      try {
        const connection = await Deno.connect({ hostname: host, port });
        await new LaneConnection(connection, this.#options, this.#book, ++this.#connections)
          .run(() => this.#stopping);
      } catch {
        // It is not there, or went: tried again.
      }
      await sleep(10);
    }
  }
}

/** What the server has been asked, and has not answered yet: a write, or something else. */
type Asked = Entry | null;

class LaneConnection {
  readonly #connection: Deno.TcpConn;
  readonly #options: LaneOptions;
  readonly #book: Book;
  readonly #name: string;
  readonly #asked: Asked[] = [];
  readonly #keys: string[] = [];
  #over = false;

  constructor(connection: Deno.TcpConn, options: LaneOptions, book: Book, count: number) {
    this.#connection = connection;
    this.#options = options;
    this.#book = book;
    this.#name = `${options.name}#${count}`;
  }

  /** Writes until it is told to stop, or the connection is over. */
  async run(stopping: () => boolean): Promise<void> {
    const reading = this.#read();
    try {
      await this.#write(stopping);
      const deadline = performance.now() + 10_000;
      while (!this.#over && this.#asked.length > 0 && performance.now() < deadline) await sleep(5);
    } catch {
      // Broken; what was not answered never will be.
    } finally {
      this.#end();
      await reading;
    }
  }

  async #write(stopping: () => boolean): Promise<void> {
    const { credentials, rate } = this.#options;
    if (credentials) {
      this.#asked.push(null);
      await this.#send(command("AUTH", credentials.username, credentials.password));
    }
    let last = performance.now();
    let due = 0;
    while (!this.#over && !stopping()) {
      const now = performance.now();
      // What could not be written in time is not made up for, beyond a tenth of a second.
      due = Math.min(due + (now - last) * rate / 1000, rate / 10);
      last = now;
      const count = Math.min(Math.floor(due), WINDOW - this.#asked.length);
      due -= Math.max(0, count);
      if (count > 0) await this.#send(this.#next(count));
      await sleep(TICK);
    }
  }

  #next(count: number): string {
    let text = "";
    const sentAt = Date.now();
    for (; count > 0; count--) {
      const place = this.#options.place?.();
      const entry = this.#book.enter({
        lane: this.#name,
        ...(place ? { node: place.node, slot: place.slot } : {}),
        sentAt,
        answeredAt: null,
        refused: false,
      });
      const tag = place ? `{${place.tag}}` : "";
      const key = `n:${entry.number}:${tag}${"x".repeat(this.#book.padding())}`;
      text += command("SET", key, "x");
      this.#asked.push(entry);
      if (this.#keys.push(key) > KEYS) {
        text += command("DEL", this.#keys.shift()!);
        this.#asked.push(null);
      }
    }
    return text;
  }

  async #send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  /** Every answer to what is asked here is one line. */
  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    let rest = "";
    try {
      for (let length; (length = await this.#connection.read(buffer)) !== null;) {
        const lines = (rest + decoder.decode(buffer.subarray(0, length))).split("\r\n");
        rest = lines.pop()!;
        const now = Date.now();
        for (const line of lines) this.#answered(line, now);
      }
    } catch {
      // Broken, or ended here.
    }
    this.#end();
  }

  #answered(line: string, now: number): void {
    const entry = this.#asked.shift();
    if (entry === undefined) throw new Error(`An answer that nobody asked for: ${line}`);
    if (entry !== null) {
      entry.answeredAt = now;
      entry.refused = line.startsWith("-");
    }
    if (ELSEWHERE.test(line)) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.close();
  }
}

function command(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}
