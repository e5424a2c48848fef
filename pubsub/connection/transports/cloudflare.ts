/**
 * TCP and TLS in Workers, by `cloudflare:sockets`. The configuration of the worker decides which
 * certificates are trusted, and which one the client has.
 *
 * @module
 */

import { ConnectError, UnsupportedError } from "../errors.ts";
import {
  type Address,
  type DialOptions,
  formatAddress,
  type TcpAddress,
  type TlsOptions,
  type Transport,
} from "../transport.ts";
import { loadModule } from "./load_module.ts";
import { Writes } from "./writes.ts";

/** The part of `cloudflare:sockets` used here, so that the module needs no runtime's type package. */
interface CloudflareSockets {
  connect(
    address: { hostname: string; port: number },
    options: { secureTransport: "off" | "on" | "starttls"; allowHalfOpen: boolean },
  ): CloudflareSocket;
}

interface CloudflareSocket {
  readonly opened: Promise<unknown>;
  readonly closed: Promise<unknown>;
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array>;
  startTls(options: { expectedServerHostname: string }): CloudflareSocket;
  close(): Promise<void>;
}

/**
 * Opens a connection with `cloudflare:sockets`.
 *
 * @param address where to
 * @param options the signal that ends the attempt, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} for a unix socket and for certificates, which Workers cannot use
 * @throws {ConnectError} if TLS cannot be agreed on
 * @throws the runtime's error if the connection cannot be made
 */
export async function dial(address: Address, { signal, tls }: DialOptions): Promise<Transport> {
  signal.throwIfAborted();
  const server = formatAddress(address);
  if ("path" in address) {
    throw new UnsupportedError(
      "UNIX_UNSUPPORTED",
      `Cannot connect to ${server}: Workers have no unix sockets; use TCP`,
    );
  }
  if (tls?.ca ?? tls?.cert ?? tls?.key) {
    throw new UnsupportedError(
      "TLS_UNSUPPORTED",
      `Cannot connect to ${server} with the options tls.ca, tls.cert or tls.key: Workers take ` +
        "certificates from their configuration only; leave them out",
    );
  }
  const { connect } = await loadModule<CloudflareSockets>(
    "cloudflare:sockets",
    "SOCKETS_UNSUPPORTED",
  );
  signal.throwIfAborted();
  const explain: Explain | null = tls === undefined ? null : (cause) =>
    new ConnectError(
      "TLS_FAILED",
      `Cannot connect to ${server} over TLS: ${cause.message}; check that it speaks TLS, and the ` +
        "certificates in the worker's configuration",
      { server, cause },
    );
  return await new CloudflareTransport(open(connect, address, tls), explain).open(signal);
}

/** Makes the error for a TLS connection that failed. */
type Explain = (cause: Error) => Error;

function open(
  connect: CloudflareSockets["connect"],
  { hostname, port }: TcpAddress,
  tls: TlsOptions | undefined,
): CloudflareSocket {
  const expectedServerHostname = tls?.serverName;
  // Only what begins in the clear can be secured for another name than that of the address.
  const secureTransport = tls === undefined
    ? "off"
    : expectedServerHostname === undefined
    ? "on"
    : "starttls";
  const socket = connect({ hostname, port }, { secureTransport, allowHalfOpen: false });
  if (expectedServerHostname === undefined) return socket;
  ignoreFailure(socket.opened, socket.closed);
  return socket.startTls({ expectedServerHostname });
}

/** Reads and writes report what goes wrong; these promises would report it again to nobody. */
function ignoreFailure(...promises: Promise<unknown>[]): void {
  for (const promise of promises) promise.catch(() => {});
}

/** The size of the memory into which bytes are read: a plain read gets 4 KiB at most. */
const BLOCK = 64 * 1024;

class CloudflareTransport implements Transport {
  readonly #socket: CloudflareSocket;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #writes = new Writes();
  /** Not null until the server has sent something: until then, what fails is a matter of TLS. */
  #explain: Explain | null;
  #isClosed = false;

  constructor(socket: CloudflareSocket, explain: Explain | null) {
    this.#socket = socket;
    this.#explain = explain;
    this.#reader = socket.readable.getReader({ mode: "byob" });
    this.#writer = socket.writable.getWriter();
    ignoreFailure(socket.opened, socket.closed, this.#reader.closed, this.#writer.closed);
  }

  /** Waits until the socket is open. */
  open(signal: AbortSignal): Promise<Transport> {
    return this.#writes.open(this, signal, (done) => this.#settle(this.#socket.opened, done));
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#isClosed) return null;
    try {
      const { done, value } = await this.#reader.read(new Uint8Array(BLOCK));
      this.#explain = null;
      return done || this.#isClosed ? null : value;
    } catch (error) {
      if (this.#isClosed) return null;
      throw this.#explain?.(error as Error) ?? error;
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.add((done) => this.#settle(this.#writer.write(bytes), done));
  }

  #settle(step: Promise<unknown>, done: () => void): void {
    step.then(done, (error) => this.#writes.end(this.#explain?.(error) ?? error));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#writes.end(new Error("the connection is closed"));
    // Nothing ends a socket before what was written is sent, and to abort the writer keeps it open
    // for good. So one whose peer has stopped reading is closed when the peer is.
    ignoreFailure(this.#socket.close());
  }
}
