import type { Transport } from "../transport.ts";
import { Writes } from "./writes.ts";

/** The part of a socket of `node:net` or `node:tls` that is used. */
export interface NodeSocket extends Flow {
  on(event: "connect" | "secureConnect" | "end" | "close", listener: () => void): this;
  on(event: "data", listener: (chunk: Uint8Array) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  setNoDelay(noDelay: boolean): this;
  destroy(): this;
}

/** Stops and restarts the arrival of bytes. */
export interface Flow {
  pause(): unknown;
  resume(): unknown;
}

/**
 * Explains what ended a TLS connection.
 *
 * @param cause the runtime's error; null if the peer has ended the connection
 * @param isSecured whether the handshake was over for the client
 */
export type Explain = (cause: Error | null, isSecured: boolean) => Error;

interface Waiting {
  resolve(chunk: Uint8Array | null): void;
  reject(error: Error): void;
}

/** The socket is paused when this many bytes wait to be read. Its own buffer comes on top. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** A socket as a transport. Listens to it from the start: an error that nobody hears is thrown. */
export class NodeTransport implements Transport {
  /** Bytes that arrived and that no `read` has returned yet. */
  unread = 0;
  /**
   * Explains what ends the connection, while that is a matter of TLS: until the server has sent
   * something, because it may refuse the client's certificate after the handshake.
   */
  explain: Explain | null = null;
  readonly #socket: NodeSocket;
  readonly #flow: Flow;
  /** What no `read` has returned yet, in order. */
  #chunks: Uint8Array[] = [];
  #isPaused = false;
  readonly #writes = new Writes();
  #waiting: Waiting | null = null;
  #isOpen = false;
  /** Whether nothing more can be read, and why. */
  #isEnded = false;
  #error: Error | null = null;
  #isClosed = false;

  constructor(socket: NodeSocket, flow: Flow = socket) {
    this.#socket = socket;
    this.#flow = flow;
    socket.on("data", (chunk) => {
      this.explain = null;
      if (this.#isEnded) return;
      if (this.#waiting === null) this.#keep(chunk);
      else this.#takeWaiting().resolve(chunk);
    });
    socket.on("error", (error) => this.fail(error));
    // Before it is open, what follows says why.
    socket.on("end", () => this.#isOpen && this.#end(null));
    socket.on("close", () => this.fail(null));
  }

  /** Waits until the socket is open. */
  open(event: "connect" | "secureConnect", signal: AbortSignal): Promise<Transport> {
    return this.#writes.open(this, signal, (done) => {
      this.#socket.on(event, () => {
        this.#isOpen = true;
        done();
      });
    });
  }

  /** Ends reading and writing: with the error, or because the peer has closed the connection. */
  fail(cause: Error | null): void {
    if (this.#isClosed) return;
    const isExplained = !this.#isEnded && (cause !== null || !this.#isOpen);
    const error = isExplained && this.explain !== null ? this.explain(cause, this.#isOpen) : cause;
    this.#end(error);
    this.#isClosed = true;
    this.#writes.end(this.#error ?? error ?? new Error("the connection is closed"));
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#takeKept();
    if (chunk !== null) return Promise.resolve(chunk);
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.add((done) => {
      this.#socket.write(bytes, (error) => error ? this.fail(error) : done());
    });
  }

  close(): void {
    this.#chunks = [];
    this.unread = 0;
    this.explain = null;
    this.fail(null);
    this.#error = null;
    this.#socket.destroy();
  }

  #keep(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.unread += chunk.length;
    if (this.#isPaused || this.unread < HIGH_WATER_BYTES) return;
    this.#isPaused = true;
    this.#flow.pause();
  }

  /** All that is kept, as one chunk; null if there is nothing. */
  #takeKept(): Uint8Array | null {
    const [first] = this.#chunks;
    if (first === undefined) return null;
    const kept = this.#chunks.length === 1 ? first : concat(this.#chunks);
    this.#chunks = [];
    this.unread = 0;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#flow.resume();
    }
    return kept;
  }

  #takeWaiting(): Waiting {
    const waiting = this.#waiting!;
    this.#waiting = null;
    return waiting;
  }

  /** Nothing more can be read. */
  #end(cause: Error | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = cause;
    if (this.#waiting === null) return;
    if (cause === null) this.#takeWaiting().resolve(null);
    else this.#takeWaiting().reject(cause);
  }
}

/** Byte arrays, one after another in one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
