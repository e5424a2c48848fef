/**
 * TCP, TLS and unix sockets by `node:net` and `node:tls`: Node, Bun, and whatever else offers those
 * modules. Deno's TLS too.
 *
 * @module
 */

import type { Address, DialOptions, TcpAddress, TlsOptions, Transport } from "../transport.ts";
import { UnsupportedError } from "../errors.ts";
import { certificateError, tlsError } from "./tls_error.ts";
import { Writes } from "./writes.ts";

/** The part of `node:net` used here, so that the module needs no runtime's type package. */
interface NodeNet {
  connect(options: { host: string; port: number } | { path: string }): NodeSocket;
  isIP(text: string): number;
}

/** The part of `node:tls` used here. */
interface NodeTls {
  connect(options: {
    host: string;
    port: number;
    servername: string;
    checkServerIdentity(host: string, certificate: unknown): Error | undefined;
    ca: string | undefined;
    cert: string | undefined;
    key: string | undefined;
  }): NodeSocket;
  checkServerIdentity(host: string, certificate: unknown): Error | undefined;
}

interface NodeSocket {
  on(event: "connect" | "secureConnect" | "end" | "close", listener: () => void): this;
  on(event: "data", listener: (chunk: Uint8Array) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  off(event: string, listener: (...args: never[]) => void): this;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  setNoDelay(noDelay: boolean): this;
  destroy(error?: Error): this;
}

// Literals inside try/catch: bundlers for the browser leave them alone.
async function loadNet(): Promise<NodeNet> {
  try {
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:net") as unknown as NodeNet;
  } catch (cause) {
    throw new UnsupportedError(
      "Cannot open a connection: this runtime has no node:net; give a dial option",
      { cause },
    );
  }
}

async function loadTls(): Promise<NodeTls> {
  try {
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:tls") as unknown as NodeTls;
  } catch (cause) {
    throw new UnsupportedError(
      "Cannot open a TLS connection: this runtime has no node:tls; give a dial option",
      { cause },
    );
  }
}

/** Says why a TLS connection came to nothing; of `null`, that it was just ended. */
type Explain = (cause: unknown) => Error;

/**
 * Opens a connection with `node:net` or `node:tls`.
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} when the runtime has no such module
 * @throws {ConnectError} when TLS cannot be agreed on
 * @throws the runtime's error when the connection cannot be made
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const { signal, tls } = options;
  signal.throwIfAborted();
  const net = await loadNet();
  if (tls === undefined) {
    signal.throwIfAborted();
    const socket = net.connect(
      "path" in address ? { path: address.path } : { host: address.hostname, port: address.port },
    );
    if (!("path" in address)) socket.setNoDelay(true);
    return await opened(socket, "connect", signal, null);
  }
  if ("path" in address) {
    throw new UnsupportedError(
      `Cannot connect to ${address.path} over TLS: servers speak none on unix sockets`,
    );
  }
  const nodeTls = await loadTls();
  signal.throwIfAborted();
  const socket = connectTls(nodeTls, net, address, tls);
  return await opened(socket, "secureConnect", signal, (cause) => tlsError(address, tls, cause));
}

function connectTls(
  nodeTls: NodeTls,
  net: NodeNet,
  address: TcpAddress,
  { ca, cert, key, serverName = address.hostname }: TlsOptions,
): NodeSocket {
  try {
    return nodeTls.connect({
      host: address.hostname,
      port: address.port,
      ca,
      cert,
      key,
      // TLS asks for names only, and the runtimes throw on an IP address; but it has to be checked.
      servername: net.isIP(serverName) === 0 ? serverName : "",
      checkServerIdentity: (_, certificate) => nodeTls.checkServerIdentity(serverName, certificate),
    }).setNoDelay(true);
  } catch (cause) {
    throw certificateError(address, cause);
  }
}

function opened(
  socket: NodeSocket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
  explain: Explain | null,
): Promise<Transport> {
  return new Promise<Transport>((resolve, reject) => {
    // What goes wrong before there is a connection has nothing to do with TLS.
    let explainIt: Explain | null = null;
    const onConnect = () => explainIt = explain;
    const fail = (reason: unknown) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off(event, onOpen);
      // The listener for errors stays: a late error that finds none is thrown.
      socket.destroy();
      reject(reason);
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(explainIt === null ? error : explainIt(error));
    const onClose = () => fail(explainIt === null ? closedError() : explainIt(null));
    const onOpen = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(new NodeTransport(socket, explain));
    };
    signal.addEventListener("abort", onAbort);
    socket.on("connect", onConnect);
    socket.on(event, onOpen);
    socket.on("error", onError);
    socket.on("close", onClose);
  });
}

interface Waiting {
  resolve(chunk: Uint8Array | null): void;
  reject(error: Error): void;
}

class NodeTransport implements Transport {
  readonly #socket: NodeSocket;
  // A server refuses a client's certificate after it has agreed on all else: until it has said
  // something, what breaks the connection is a matter of TLS.
  #explain: Explain | null;
  // The socket is always read: what nobody waits for yet is kept here in order.
  readonly #chunks: Uint8Array[] = [];
  readonly #writes = new Writes();
  #waiting: Waiting | null = null;
  #ended = false;
  #error: Error | null = null;
  #closed = false;

  constructor(socket: NodeSocket, explain: Explain | null) {
    this.#socket = socket;
    this.#explain = explain;
    socket.on("data", (chunk) => {
      this.#explain = null;
      if (this.#ended) return;
      if (this.#waiting === null) this.#chunks.push(chunk);
      else this.#takeWaiting().resolve(chunk);
    });
    socket.on("error", (error) => this.#close(error));
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#close(null));
  }

  #takeWaiting(): Waiting {
    const waiting = this.#waiting!;
    this.#waiting = null;
    return waiting;
  }

  /** Nothing more can be read. */
  #end(cause: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = cause === null || this.#explain === null ? cause : this.#explain(cause);
    if (this.#waiting === null) return;
    const waiting = this.#takeWaiting();
    if (this.#error === null) waiting.resolve(null);
    else waiting.reject(this.#error);
  }

  /** Nothing more can be written either. */
  #close(cause: Error | null): void {
    if (this.#closed) return;
    this.#end(cause);
    this.#closed = true;
    this.#writes.end(this.#error ?? cause ?? closedError());
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.add((done) => {
      this.#socket.write(bytes, (error) => error ? this.#close(error) : done());
    });
  }

  close(): void {
    this.#chunks.length = 0;
    this.#explain = null;
    this.#close(null);
    this.#error = null;
    this.#socket.destroy();
  }
}

function closedError(): Error {
  return new Error("the connection is closed");
}
