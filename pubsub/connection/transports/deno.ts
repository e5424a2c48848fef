/**
 * TCP, TLS and unix sockets in Deno. TCP requires only `--allow-net=host:port`; a unix socket requires
 * `--allow-net=unix:path`, `--allow-read=path` and `--allow-write=path`.
 *
 * TLS is spoken by `node:tls` over a connection of Deno's own: `Deno.connectTls` has no server name
 * and cannot be aborted, and `Deno.startTls` has no client certificate.
 *
 * @module
 */

import type { Address, DialOptions, TcpAddress, Transport } from "../transport.ts";

/** The part of Deno's API used here, so that the module type-checks in every runtime. */
interface DenoNet {
  connect(options: { hostname: string; port: number; signal: AbortSignal }): Promise<DenoConn>;
  connect(options: { transport: "unix"; path: string }): Promise<DenoConn>;
}

interface DenoConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  setNoDelay?(noDelay?: boolean): void;
}

/** The size of a block of memory. It serves many reads, because a message is far smaller. */
const BLOCK = 64 * 1024;

/** A block with less memory left is not read into. */
const SMALLEST_READ = 8 * 1024;

/**
 * Opens a connection with Deno's own API.
 *
 * @param address where to
 * @param options the signal that ends the attempt, and how to speak TLS
 * @returns the open connection
 * @throws {UnsupportedError} if TLS is requested over a unix socket
 * @throws {ConnectError} if TLS cannot be agreed on
 * @throws Deno's error if the connection cannot be made
 */
export async function dial(address: Address, options: DialOptions): Promise<Transport> {
  const { signal, tls } = options;
  signal.throwIfAborted();
  if (tls === undefined) return await open(address, signal);
  const { dialTls } = await import("./node_tls.ts");
  return await dialTls(address, options, () => open(address, signal));
}

async function open(address: Address, signal: AbortSignal): Promise<Transport> {
  const { Deno } = globalThis as unknown as { Deno: DenoNet };
  const conn = "path" in address
    ? await Deno.connect({ transport: "unix", path: address.path })
    : await connectTcp(Deno, address, signal);
  if (signal.aborted) {
    conn.close();
    throw signal.reason;
  }
  conn.setNoDelay?.();
  return new DenoTransport(conn);
}

/** Connects, until the signal is aborted; even then there may be a connection. */
async function connectTcp(
  Deno: DenoNet,
  { hostname, port }: TcpAddress,
  signal: AbortSignal,
): Promise<DenoConn> {
  const attempt = new AbortController();
  const giveUp = () => attempt.abort();
  signal.addEventListener("abort", giveUp);
  try {
    return await Deno.connect({
      hostname,
      port,
      // Deno 2.9.6 throws if the signal was aborted before the connection was made, and leaves the
      // connection open for good. So it must not see that.
      signal: Object.assign(attempt.signal, { throwIfAborted() {} }),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

class DenoTransport implements Transport {
  readonly #conn: DenoConn;
  #closed = false;
  #block = new Uint8Array(BLOCK);
  #used = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(conn: DenoConn) {
    this.#conn = conn;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) return null;
    if (BLOCK - this.#used < SMALLEST_READ) {
      this.#block = new Uint8Array(BLOCK);
      this.#used = 0;
    }
    const start = this.#used;
    let length: number | null;
    try {
      length = await this.#conn.read(this.#block.subarray(start));
    } catch (error) {
      // Deno interrupts a read that is under way when the connection is closed here.
      if (this.#closed) return null;
      throw error;
    }
    if (length === null) return null;
    this.#used = start + length;
    return this.#block.subarray(start, start + length);
  }

  write(bytes: Uint8Array): Promise<void> {
    // After a failure nothing more is written.
    const written = this.#writing.then(async () => {
      // Deno may take less than was offered.
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#conn.write(bytes.subarray(sent));
      }
    });
    this.#writing = written;
    return written;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}
