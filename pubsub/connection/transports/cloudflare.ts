/**
 * TCP and TLS in Workers, by `cloudflare:sockets`.
 *
 * @module
 */

import { ConnectError, UnsupportedError } from "../errors.ts";
import {
  type Address,
  type DialOptions,
  formatAddress,
  type TlsOptions,
  type Transport,
} from "../transport.ts";
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

async function loadSockets(): Promise<CloudflareSockets> {
  try {
    // A literal inside try/catch: bundlers leave it alone.
    // @ts-ignore: typed structurally, the module is not there in every runtime
    return await import("cloudflare:sockets") as unknown as CloudflareSockets;
  } catch (cause) {
    throw new UnsupportedError(
      "SOCKETS_UNSUPPORTED",
      "Cannot open a connection: this runtime has no cloudflare:sockets; give a dial option",
      { cause },
    );
  }
}

/**
 * Opens a connection with `cloudflare:sockets`. Which certificates are trusted over TLS, and which
 * one the client has, is set up where the worker is, not in its code.
 *
 * @param address where to
 * @param options the signal that gives the attempt up, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} for a unix socket and for certificates, which Workers have no way to use
 * @throws {ConnectError} when TLS cannot be agreed on
 * @throws the runtime's error when the connection cannot be made
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const { signal, tls } = options;
  signal.throwIfAborted();
  if ("path" in address) {
    throw new UnsupportedError(
      "UNIX_UNSUPPORTED",
      `Cannot connect to ${address.path}: Workers have no unix sockets; use TCP`,
    );
  }
  const server = formatAddress(address);
  for (const name of ["ca", "cert", "key"] as const) {
    if (tls?.[name] === undefined) continue;
    throw new UnsupportedError(
      "TLS_UNSUPPORTED",
      `Cannot connect to ${server} with the option tls.${name}: Workers take ` +
        "certificates from their configuration only; leave it out",
    );
  }
  const { connect } = await loadSockets();
  signal.throwIfAborted();
  const socket = open(connect, address, tls);
  const explain: Explain | null = tls === undefined ? null : (cause) =>
    new ConnectError(
      "TLS_FAILED",
      `Cannot connect to ${server} over TLS: ${(cause as Error).message}; check that it ` +
        "speaks TLS, and the certificates in the worker's configuration",
      { server, cause },
    );
  try {
    await orAbort(socket.opened, signal);
  } catch (cause) {
    void socket.close().catch(() => {});
    throw signal.aborted || explain === null ? cause : explain(cause);
  }
  return new CloudflareTransport(socket, explain);
}

/** Says what to do about a TLS connection that came to nothing. */
type Explain = (cause: unknown) => Error;

function open(
  connect: CloudflareSockets["connect"],
  { hostname, port }: { hostname: string; port: number },
  tls: TlsOptions | undefined,
): CloudflareSocket {
  const serverName = tls?.serverName;
  const plain = tls === undefined;
  // Only what begins in the clear can be secured for another name than that of the address.
  const secureTransport = plain ? "off" : serverName === undefined ? "on" : "starttls";
  const first = connect({ hostname, port }, { secureTransport, allowHalfOpen: false });
  ignoreFailure(first);
  if (serverName === undefined) return first;
  const secured = first.startTls({ expectedServerHostname: serverName });
  ignoreFailure(secured);
  return secured;
}

/** What goes wrong is told by reads and writes; these promises say it again to nobody. */
function ignoreFailure(socket: CloudflareSocket): void {
  socket.opened.catch(() => {});
  socket.closed.catch(() => {});
}

/** Settles as the promise does, or rejects with the signal's reason if that comes first. */
async function orAbort(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => onAbort = () => reject(signal.reason));
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

// Into memory of this size 1.5 GB/s are read, where a plain read gives 4 KiB and 0.3 GB/s.
const BLOCK = 64 * 1024;

class CloudflareTransport implements Transport {
  readonly #socket: CloudflareSocket;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #writes = new Writes();
  // As in other runtimes, what breaks the connection before the server has said something is a
  // matter of TLS.
  #explain: Explain | null;
  #closed = false;

  constructor(socket: CloudflareSocket, explain: Explain | null) {
    this.#socket = socket;
    this.#explain = explain;
    this.#reader = socket.readable.getReader({ mode: "byob" });
    this.#writer = socket.writable.getWriter();
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) return null;
    try {
      const { done, value } = await this.#reader.read(new Uint8Array(BLOCK));
      this.#explain = null;
      return done || this.#closed ? null : value;
    } catch (error) {
      if (this.#closed) return null;
      throw this.#explain === null ? error : this.#explain(error);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.add((done) => {
      this.#writer.write(bytes).then(done, (error) => {
        this.#writes.end(this.#explain === null ? error : this.#explain(error));
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#writes.end(new Error("the connection is closed"));
    // Nothing ends a socket before what was written is sent, and to abort the writer keeps it open
    // for good; so one whose peer has stopped reading goes when the peer does.
    void this.#socket.close().catch(() => {});
  }
}
