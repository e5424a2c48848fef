/**
 * TCP by `node:net`: Node, Bun, and whatever else offers that module.
 *
 * @module
 */

import type { Address, DialOptions, Transport } from "../transport.ts";

/** The part of `node:net` used here, so that the module needs no runtime's type package. */
interface NodeNet {
  connect(options: { host: string; port: number; noDelay: boolean }): NodeSocket;
}

interface NodeSocket {
  on(event: "connect" | "end" | "close", listener: () => void): this;
  on(event: "data", listener: (chunk: Uint8Array) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  off(event: string, listener: (...args: never[]) => void): this;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  destroy(error?: Error): this;
}

async function loadNet(): Promise<NodeNet> {
  try {
    // A literal inside try/catch: bundlers for the browser leave it alone.
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:net") as unknown as NodeNet;
  } catch (cause) {
    throw new Error(
      "Cannot open a TCP connection: this runtime has no node:net; give a dial option",
      { cause },
    );
  }
}

/**
 * Opens a TCP connection with `node:net`.
 *
 * @param address where to
 * @param options the signal that gives the attempt up
 * @returns the open connection
 * @throws the runtime's error when the connection cannot be made
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const net = await loadNet();
  const { signal } = options;
  signal.throwIfAborted();
  const socket = net.connect({ host: address.hostname, port: address.port, noDelay: true });
  return await new Promise<Transport>((resolve, reject) => {
    const onAbort = () => settle(() => reject(signal.reason), true);
    const onError = (error: Error) => settle(() => reject(error), true);
    const onConnect = () => settle(() => resolve(new NodeTransport(socket)), false);
    function settle(outcome: () => void, failed: boolean): void {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      if (failed) {
        // A late error of a socket that is given up must find a listener, or it is thrown.
        socket.destroy();
      } else {
        socket.off("error", onError);
      }
      outcome();
    }
    signal.addEventListener("abort", onAbort);
    socket.on("connect", onConnect);
    socket.on("error", onError);
  });
}

class NodeTransport implements Transport {
  readonly #socket: NodeSocket;
  // The socket is always read: what nobody waits for yet is kept here in order.
  readonly #chunks: Uint8Array[] = [];
  #waiting: { resolve(chunk: Uint8Array | null): void; reject(error: Error): void } | null = null;
  #ended = false;
  #error: Error | null = null;

  constructor(socket: NodeSocket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      if (this.#waiting === null) this.#chunks.push(chunk);
      else this.#take().resolve(chunk);
    });
    socket.on("error", (error) => {
      if (this.#ended) return;
      this.#error = error;
      this.#finish();
    });
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
  }

  #take(): { resolve(chunk: Uint8Array | null): void; reject(error: Error): void } {
    const waiting = this.#waiting!;
    this.#waiting = null;
    return waiting;
  }

  #finish(): void {
    this.#ended = true;
    if (this.#waiting === null) return;
    const waiting = this.#take();
    if (this.#error === null) waiting.resolve(null);
    else waiting.reject(this.#error);
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  close(): void {
    this.#chunks.length = 0;
    this.#error = null;
    this.#finish();
    this.#socket.destroy();
  }
}
