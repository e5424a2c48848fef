import { join } from "node:path";
import type { Address, TlsOptions } from "../../mod.ts";
import { Peer, swallow, writeAll } from "../pubsub/peer.ts";
import type { Certificates } from "../servers/mod.ts";

/** One way to a peer, and what it is tested with. */
export interface Way {
  name: "TCP" | "TLS" | "a unix socket";
  /** Where the peer listens. */
  peer: Address;
  /** Where nobody does. */
  nobody: Address;
  /** Where somebody listens who never answers a TLS handshake. */
  mute?: Address;
  tls?: TlsOptions;
}

/** What a peer does, by the first line it is sent. */
const ACTS: Record<string, (connection: Deno.Conn, rest: Uint8Array) => Promise<unknown>> = {
  /** Sends back what it gets. */
  async echo(connection, rest) {
    await writeAll(connection, rest);
    const buffer = new Uint8Array(64 * 1024);
    for (let length; (length = await connection.read(buffer)) !== null;) {
      await writeAll(connection, buffer.subarray(0, length));
    }
  },
  /** Sends a thousand bytes of each value, and ends. */
  async count(connection) {
    for (let byte = 0; byte < 256; byte++) {
      await writeAll(connection, new Uint8Array(1_000).fill(byte));
    }
    await connection.closeWrite();
    await swallow(connection);
  },
  /** Sends more than any two sockets hold, as fast as it is taken, and ends. */
  async flood(connection) {
    const block = new Uint8Array(64 * 1024).fill(7);
    flooded = 0;
    for (let left = FLOOD / block.length; left > 0; left--) {
      await writeAll(connection, block, (count) => flooded += count);
    }
    await connection.closeWrite();
    await swallow(connection);
  },
  /** Sends how many bytes of the last flood were taken, again and again as it is asked. */
  async flooded(connection) {
    const buffer = new Uint8Array(64);
    do await writeAll(connection, new TextEncoder().encode(`${flooded}\n`)); while (
      await connection.read(buffer) !== null
    );
  },
  /** Ends at once. */
  end: () => Promise.resolve(),
  /** Says nothing. */
  silent: swallow,
  /** Ends with bytes unread, which resets the connection. */
  reset: (connection) => connection.read(new Uint8Array(1024)),
  /** Ends its side, and reads on. */
  async finish(connection) {
    await connection.closeWrite();
    await swallow(connection);
  },
};

/** Bytes of a flood. */
const FLOOD = 96 * 1024 * 1024;

/** How many of them the other side has taken. */
let flooded = 0;

/** Stops reading, and leaves the connection open. */
const STALL = "stall";

/** Peers on loopback with a script. */
export class Peers implements AsyncDisposable {
  readonly ways: readonly Way[];
  /** The paths of the unix sockets, also of the one that is not there. */
  readonly sockets: readonly string[];
  readonly #peers: Peer[];
  readonly #over: PromiseWithResolvers<void> = Promise.withResolvers();

  /** @param folder where the unix socket goes */
  constructor(folder: string, { ca, server: { cert, key } }: Certificates) {
    const here = { hostname: "127.0.0.1", port: 0 };
    const path = join(folder, `peer-${crypto.randomUUID().slice(0, 8)}.sock`);
    const serve = (connection: Deno.Conn) => this.#serve(connection);
    const tcp = new Peer(serve);
    const mute = new Peer(swallow);
    const tls = new Peer(serve, Deno.listenTls({ ...here, cert, key }));
    const unix = new Peer(serve, Deno.listen({ transport: "unix", path }));
    this.#peers = [tcp, mute, tls, unix];
    // Not a free one, which another test may be given.
    const nobody = { hostname: "127.0.0.1", port: 1 };
    const none = `${path}.none`;
    this.sockets = [path, none];
    this.ways = [
      { name: "TCP", peer: tcp.address, nobody },
      { name: "TLS", peer: tls.address, nobody, mute: mute.address, tls: { ca } },
      { name: "a unix socket", peer: { path }, nobody: { path: none } },
    ];
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    let length = 0;
    let end: number;
    while ((end = buffer.subarray(0, length).indexOf(10)) < 0) {
      const read = await connection.read(buffer.subarray(length));
      if (read === null) return;
      length += read;
    }
    const act = new TextDecoder().decode(buffer.subarray(0, end));
    if (act === STALL) await this.#over.promise;
    else await ACTS[act]!(connection, buffer.slice(end + 1, length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.resolve();
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
  }
}
