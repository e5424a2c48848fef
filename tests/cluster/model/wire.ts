import type { Random } from "../../random.ts";
import type { Transport } from "../../../mod.ts";
import type { VirtualClock } from "./clock.ts";
import type { Message } from "./history.ts";

/** How bytes travel between the client and one node; all its connections share this. */
export interface Link {
  /** How long a byte takes in one direction at least, in ms. */
  latency: number;
  /** Until when nothing travels, in ms since the clock's start. */
  stalledUntil: number;
}

/** Bytes on their way, and the notification that ends with them, if one does. */
interface Segment {
  readonly bytes: Uint8Array;
  readonly message: Message | null;
}

/** One direction of a connection: what is put in comes out later, in order. */
class Pipe<T> {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #link: Link;
  readonly #deliver: (item: T) => void;
  readonly #queue: { at: number; readonly item: T }[] = [];
  #last = 0;
  #isScheduled = false;

  constructor(clock: VirtualClock, random: Random, link: Link, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#link = link;
    this.#deliver = deliver;
  }

  put(item: T): void {
    const { latency } = this.#link;
    const jitter = this.#random.next() * (0.05 + latency / 4);
    this.#last = Math.max(this.#last, this.#clock.now + latency + jitter);
    this.#queue.push({ at: this.#last, item });
    this.#schedule();
  }

  /** Loses what is on its way, or the last part of it. */
  lose(): void {
    this.#queue.splice(this.#random.below(this.#queue.length + 1));
  }

  #schedule(): void {
    const [first] = this.#queue;
    if (this.#isScheduled || first === undefined) return;
    this.#isScheduled = true;
    const at = Math.max(first.at, this.#link.stalledUntil);
    this.#clock.after(Math.max(0, at - this.#clock.now), () => {
      this.#isScheduled = false;
      while (this.#queue.length > 0 && this.#link.stalledUntil <= this.#clock.now) {
        if (this.#queue[0]!.at > this.#clock.now) break;
        this.#deliver(this.#queue.shift()!.item);
      }
      this.#schedule();
    });
  }
}

/** The server's side of a connection. */
export interface Served {
  /** Takes bytes of the client; null once it has closed the connection. */
  receive(bytes: Uint8Array | null): void;
}

/** A connection between the client and a node, in memory. */
export class Wire {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #toServer: Pipe<Uint8Array | null>;
  readonly #toClient: Pipe<Segment | "end" | "reset">;
  readonly #arrived: Segment[] = [];
  #ending: "end" | "reset" | null = null;
  #waiting: { resolve(bytes: Uint8Array | null): void; reject(error: Error): void } | null = null;
  #isHandingOver = false;
  #isClosed = false;
  /** Takes what the client sends. */
  server: Served = { receive() {} };

  constructor(clock: VirtualClock, random: Random, link: Link) {
    this.#clock = clock;
    this.#random = random;
    this.#toServer = new Pipe(clock, random, link, (bytes) => this.server.receive(bytes));
    this.#toClient = new Pipe<Segment | "end" | "reset">(clock, random, link, (item) => {
      if (typeof item === "string") this.#ending = item;
      else this.#arrived.push(item);
      this.#handOverSoon();
    });
  }

  /** The server sends bytes. */
  send(bytes: Uint8Array, message: Message | null = null): void {
    // A frame may be cut anywhere.
    const cut = this.#random.chance(0.05) ? this.#random.below(bytes.length) : 0;
    if (cut > 0) this.#toClient.put({ bytes: bytes.subarray(0, cut), message: null });
    this.#toClient.put({ bytes: bytes.subarray(cut), message });
  }

  /** The server, or the network, ends the connection; what is on its way may be lost. */
  end(how: "end" | "reset"): void {
    if (how === "reset") this.#toClient.lose();
    this.#toClient.put(how);
  }

  /** The client's side. */
  readonly transport: Transport = {
    read: () =>
      new Promise((resolve, reject) => {
        if (this.#isClosed) return resolve(null);
        this.#waiting = { resolve, reject };
        this.#handOverSoon();
      }),
    write: (bytes) => {
      if (this.#isClosed || this.#ending !== null) {
        return Promise.reject(Object.assign(new Error("Broken pipe"), { code: "EPIPE" }));
      }
      this.#toServer.put(bytes.slice());
      return Promise.resolve();
    },
    close: () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#toServer.put(null);
      this.#waiting?.resolve(null);
      this.#waiting = null;
    },
  };

  /** The client's event loop turns to this socket now or a little later. */
  #handOverSoon(): void {
    const isReady = this.#arrived.length > 0 || this.#ending !== null;
    if (this.#isHandingOver || !isReady || this.#waiting === null) return;
    this.#isHandingOver = true;
    this.#clock.afterInClient(this.#random.next() * 0.1, () => {
      this.#isHandingOver = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    const segments = this.#arrived.splice(0);
    if (segments.length === 0) {
      if (this.#ending === "end") waiting.resolve(null);
      else waiting.reject(Object.assign(new Error("Connection reset"), { code: "ECONNRESET" }));
      return;
    }
    const chunk = new Uint8Array(segments.reduce((sum, { bytes }) => sum + bytes.length, 0));
    let at = 0;
    for (const { bytes, message } of segments) {
      chunk.set(bytes, at);
      at += bytes.length;
      message?.receivedAt.push(this.#clock.epoch);
    }
    waiting.resolve(chunk);
  }
}
