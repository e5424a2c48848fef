/**
 * TCP, TLS and unix sockets by `node:net` and `node:tls`: Node, Bun, and whatever else offers those
 * modules. Deno's TLS too.
 *
 * @module
 */

import { UnsupportedError } from "../errors.ts";
import {
  type Address,
  type DialOptions,
  formatAddress,
  type TcpAddress,
  type TlsOptions,
  type Transport,
} from "../transport.ts";
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
    socket: NodeStream | undefined;
    servername: string;
    checkServerIdentity(host: string, certificate: unknown): Error | undefined;
    ca: TlsOptions["ca"];
    cert: TlsOptions["cert"];
    key: TlsOptions["key"];
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
  pause(): this;
  resume(): this;
}

/** A `Duplex` of `node:stream`: its methods are used by `node:tls` only. */
interface NodeStream {
  push(chunk: Uint8Array | null): boolean;
  destroy(error?: unknown): void;
}

/** The part of `node:stream` used here. */
interface NodeStreams {
  Duplex: new (methods: {
    read(this: NodeStream): void;
    write(bytes: Uint8Array, encoding: string, done: (error?: unknown) => void): void;
    destroy(error: unknown, done: (error: unknown) => void): void;
  }) => NodeStream;
}

/** Stops and restarts the arrival of bytes. */
interface Flow {
  pause(): unknown;
  resume(): unknown;
  /** Called as soon as a write below TLS fails, after which TLS would report writes as done. */
  onBroken?: (error: Error) => void;
}

// Literals inside try/catch: bundlers for the browser leave them alone.
async function loadNet(): Promise<NodeNet> {
  try {
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:net") as unknown as NodeNet;
  } catch (cause) {
    throw withoutModule("SOCKETS_UNSUPPORTED", "node:net", cause);
  }
}

async function loadTls(): Promise<NodeTls> {
  try {
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:tls") as unknown as NodeTls;
  } catch (cause) {
    throw withoutModule("TLS_UNSUPPORTED", "node:tls", cause);
  }
}

async function loadStreams(): Promise<NodeStreams> {
  try {
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("node:stream") as unknown as NodeStreams;
  } catch (cause) {
    throw withoutModule("TLS_UNSUPPORTED", "node:stream", cause);
  }
}

function withoutModule(
  code: UnsupportedError["code"],
  name: string,
  cause: unknown,
): UnsupportedError {
  return new UnsupportedError(
    code,
    `Cannot open a connection: this runtime has no ${name}; give a dial option`,
    { cause },
  );
}

/**
 * Says why a TLS connection came to nothing; of `null`, that it was just ended. Whether that was
 * before or after the handshake tells causes apart.
 */
type Explain = (cause: Error | null, isSecured: boolean) => Promise<Error>;

/** What explains failures of TLS; null if it cannot be loaded, and then they say what they are. */
function loadExplanations(): Promise<typeof import("./tls_error.ts") | null> {
  return import("./tls_error.ts").catch(() => null);
}

/** Explains the failures of TLS with a server. */
function explainTls(address: TcpAddress, tls: TlsOptions): Explain {
  return async (cause, isSecured) => {
    const explained = await loadExplanations();
    return explained?.tlsError(address, tls, cause, isSecured) ??
      cause ?? new Error("the other side ended it");
  };
}

/**
 * Refuses TLS on a unix socket.
 *
 * @throws {UnsupportedError} when the address is one
 */
function requireTcp(address: Address): asserts address is TcpAddress {
  if (!("path" in address)) return;
  throw new UnsupportedError(
    "TLS_UNSUPPORTED",
    `Cannot connect to ${formatAddress(address)} over TLS: servers speak none on unix sockets`,
  );
}

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
    return await opened(socket, "connect", signal, null, socket);
  }
  requireTcp(address);
  const nodeTls = await loadTls();
  signal.throwIfAborted();
  return await openTls(nodeTls, net, address, { tls, signal }, null);
}

/**
 * Opens a connection with `node:tls` over one that is opened in the clear.
 *
 * Deno's `node:tls` goes on reading from its own sockets while it is paused. From a stream it gets
 * only the bytes that are pulled for it here.
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @param open opens the connection in the clear
 * @returns the secured connection
 * @throws {UnsupportedError} for a unix socket, and when the runtime has no such module
 * @throws {ConnectError} when TLS cannot be agreed on
 * @throws the runtime's error when the connection cannot be made
 */
export async function secure(
  address: Address,
  { tls = {}, signal }: DialOptions,
  open: () => Promise<Transport>,
): Promise<Transport> {
  requireTcp(address);
  const [net, nodeTls, streams] = await Promise.all([loadNet(), loadTls(), loadStreams()]);
  const transport = await open();
  try {
    signal.throwIfAborted();
    const below = streamOver(transport, streams);
    return await openTls(nodeTls, net, address, { tls, signal }, below);
  } catch (error) {
    transport.close();
    throw error;
  }
}

/** What TLS is spoken over. */
interface Below {
  readonly stream: NodeStream;
  readonly flow: Flow;
}

/** A stream that pulls bytes from a transport while they are wanted, and closes it when destroyed. */
function streamOver(transport: Transport, { Duplex }: NodeStreams): Below {
  let paused: Promise<void> | null = null;
  let resume = () => {};
  const flow: Required<Flow> = {
    onBroken() {},
    pause: () => paused ??= new Promise((resolve) => resume = resolve),
    resume() {
      paused = null;
      resume();
    },
  };
  const pull = async (stream: NodeStream) => {
    try {
      while (paused !== null) await paused;
      stream.push(await transport.read());
    } catch (error) {
      stream.destroy(error);
    }
  };
  const stream = new Duplex({
    read() {
      pull(this);
    },
    write(bytes, _encoding, done) {
      transport.write(bytes).then(() => done(), (error) => {
        flow.onBroken(error);
        done(error);
      });
    },
    destroy(error, done) {
      transport.close();
      flow.resume();
      done(error);
    },
  });
  return { stream, flow };
}

/**
 * Opens a connection with `node:tls`.
 *
 * @param below what to speak it over; null for a socket of its own
 */
async function openTls(
  nodeTls: NodeTls,
  net: NodeNet,
  address: TcpAddress,
  { tls, signal }: { readonly tls: TlsOptions; readonly signal: AbortSignal },
  below: Below | null,
): Promise<Transport> {
  const { ca, cert, key, serverName = address.hostname } = tls;
  let socket: NodeSocket;
  try {
    socket = nodeTls.connect({
      host: address.hostname,
      port: address.port,
      socket: below?.stream,
      ca,
      cert,
      key,
      // TLS asks for names only, and the runtimes throw on an IP address; but it has to be checked.
      servername: net.isIP(serverName) === 0 ? serverName : "",
      checkServerIdentity: (_, certificate) => nodeTls.checkServerIdentity(serverName, certificate),
    });
  } catch (cause) {
    const explained = await loadExplanations();
    throw explained?.certificateError(address, cause) ?? cause;
  }
  const explain = explainTls(address, tls);
  // From here on without a pause: an error before somebody listens for it would be thrown.
  if (below !== null) {
    return await opened(socket, "secureConnect", signal, explain, below.flow, explain);
  }
  socket.setNoDelay(true);
  return await opened(socket, "secureConnect", signal, explain, socket);
}

function opened(
  socket: NodeSocket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
  explain: Explain | null,
  flow: Flow,
  explainBefore: Explain | null = null,
): Promise<Transport> {
  return new Promise<Transport>((resolve, reject) => {
    // What goes wrong before there is a connection has nothing to do with TLS.
    let explainIt = explainBefore;
    const onConnect = () => explainIt = explain;
    const stop = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off(event, onOpen);
      socket.off("close", onClose);
      socket.off("error", onError);
      // A late error that finds no listener is thrown.
      socket.on("error", () => {});
      socket.destroy();
    };
    const onAbort = () => {
      stop();
      reject(signal.reason);
    };
    const fail = (cause: Error | null) => {
      stop();
      if (explainIt === null) reject(cause ?? closedError());
      else explainIt(cause, false).then(reject, reject);
    };
    const onError = fail;
    const onClose = () => fail(null);
    const onOpen = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(new NodeTransport(socket, explain, flow));
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

/** The socket is paused when this many bytes wait to be read. Its own buffer comes on top. */
const HIGH_WATER_BYTES = 1024 * 1024;

class NodeTransport implements Transport {
  /** Bytes that came and that no `read` has returned yet. */
  unread = 0;
  readonly #socket: NodeSocket;
  readonly #flow: Flow;
  // A server refuses a client's certificate after it has agreed on all else: until it has said
  // something, what breaks the connection is a matter of TLS.
  #explain: Explain | null;
  /** Whether what broke the connection is being explained. Until then nothing else counts. */
  #isExplaining = false;
  /** What no `read` has returned yet, in order. */
  #chunks: Uint8Array[] = [];
  #paused = false;
  readonly #writes = new Writes();
  #waiting: Waiting | null = null;
  #ended = false;
  #error: Error | null = null;
  #closed = false;

  constructor(socket: NodeSocket, explain: Explain | null, flow: Flow) {
    this.#socket = socket;
    this.#flow = flow;
    this.#explain = explain;
    socket.on("data", (chunk) => {
      this.#explain = null;
      if (this.#ended) return;
      if (this.#waiting === null) this.#keep(chunk);
      else this.#takeWaiting().resolve(chunk);
    });
    if (flow.onBroken !== undefined) flow.onBroken = (error) => this.#close(error);
    socket.on("error", (error) => this.#close(error));
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#close(null));
  }

  #keep(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.unread += chunk.length;
    if (this.#paused || this.unread < HIGH_WATER_BYTES) return;
    this.#paused = true;
    this.#flow.pause();
  }

  /** All that is kept, as one chunk; null when nothing is. */
  #takeKept(): Uint8Array | null {
    const [first] = this.#chunks;
    if (first === undefined) return null;
    const kept = this.#chunks.length === 1 ? first : concat(this.#chunks);
    this.#chunks = [];
    this.unread = 0;
    if (this.#paused) {
      this.#paused = false;
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
    if (this.#ended || this.#isExplaining) return;
    this.#ended = true;
    this.#error = cause;
    if (this.#waiting === null) return;
    const waiting = this.#takeWaiting();
    if (this.#error === null) waiting.resolve(null);
    else waiting.reject(this.#error);
  }

  /** Nothing more can be written either. */
  #close(cause: Error | null): void {
    if (this.#closed || this.#isExplaining) return;
    if (cause !== null && !this.#ended && this.#explain !== null) {
      this.#isExplaining = true;
      const done = (error: Error) => {
        this.#explain = null;
        this.#isExplaining = false;
        this.#close(error);
      };
      this.#explain(cause, true).then(done, done);
      return;
    }
    this.#end(cause);
    this.#closed = true;
    this.#writes.end(this.#error ?? cause ?? closedError());
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#takeKept();
    if (chunk !== null) return Promise.resolve(chunk);
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.add((done) => {
      this.#socket.write(bytes, (error) => {
        if (error) this.#close(error);
        else if (!this.#isExplaining) done();
      });
    });
  }

  close(): void {
    this.#chunks = [];
    this.unread = 0;
    this.#explain = null;
    this.#isExplaining = false;
    this.#close(null);
    this.#error = null;
    this.#socket.destroy();
  }
}

function closedError(): Error {
  return new Error("the connection is closed");
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
