import { concat } from "../../pubsub/connection/transports/node_socket.ts";
import { Decoder } from "../../resp/mod.ts";

type PeerListener = Deno.TcpListener | Deno.TlsListener | Deno.UnixListener;

/** A peer on loopback that does what a real server cannot be made to do. */
export class Peer implements AsyncDisposable {
  readonly #listener: PeerListener;
  readonly #connections = new Set<Deno.Conn>();
  readonly #served: Promise<void>;

  /**
   * @param serve what it does with a connection; it is closed when that ends
   * @param listener of TCP if not given
   */
  constructor(
    serve: (connection: Deno.Conn) => Promise<unknown>,
    listener: PeerListener = Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  ) {
    this.#listener = listener;
    this.#served = this.#accept(serve);
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** `redis://127.0.0.1:port` */
  get url(): string {
    const { hostname, port } = this.address;
    return `redis://${hostname}:${port}`;
  }

  /** Where it listens, by TCP or TLS. */
  get address(): { hostname: string; port: number } {
    const { hostname, port } = this.#listener.addr as Deno.NetAddr;
    return { hostname, port };
  }

  async #accept(serve: (connection: Deno.Conn) => Promise<unknown>): Promise<void> {
    const serving: Promise<unknown>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      serving.push(
        // A connection that breaks, or is closed below, ends its service.
        serve(connection).catch(() => {}).finally(() => this.end(connection)),
      );
    }
    await Promise.all(serving);
  }

  /** Ends one connection. */
  end(connection: Deno.Conn): void {
    if (!this.#connections.delete(connection)) return;
    connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) this.end(connection);
    await this.#served;
  }
}

/**
 * Writes all of the bytes.
 *
 * @param onTaken is reported how many were taken, each time that some were
 */
export async function writeAll(
  connection: Deno.Conn,
  bytes: Uint8Array,
  onTaken: (count: number) => void = () => {},
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const count = await connection.write(bytes.subarray(at));
    at += count;
    onTaken(count);
  }
}

/** Reads until the other side ends. */
export async function swallow(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await connection.read(buffer) !== null);
}

/** Answers whatever comes first with these words, then reads on. */
export function answer(words: string): (connection: Deno.Conn) => Promise<void> {
  return async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode(words));
    await swallow(connection);
  };
}

/** As an answer: the server ends the connection in place of answering. */
export const HANG_UP = "hang up";

/**
 * Reads commands until the other side ends, and answers each.
 *
 * @param answer what to answer, in RESP; nothing if null
 * @param hold what to wait for before answers are sent
 */
export async function serveCommands(
  connection: Deno.Conn,
  answer: (words: readonly string[]) => string | Uint8Array | null,
  hold: () => Promise<void> | null = () => null,
): Promise<void> {
  const answers: Uint8Array[] = [];
  // A pipeline has thousands of short answers; those that follow each other are encoded together.
  let text = "";
  const flushText = () => {
    if (text !== "") answers.push(new TextEncoder().encode(text));
    text = "";
  };
  let hangsUp = false;
  const decoder = new Decoder({
    reply: (command) => {
      const given = answer(command as string[]);
      if (given === HANG_UP) hangsUp = true;
      if (given === null || hangsUp) return;
      if (typeof given === "string") return void (text += given);
      flushText();
      answers.push(given);
    },
    push() {},
  }, { strings: "text" });
  const buffer = new Uint8Array(64 * 1024);
  for (let length; (length = await connection.read(buffer)) !== null;) {
    decoder.write(buffer.slice(0, length));
    await hold();
    flushText();
    // In one write, as a server answers a pipeline.
    await writeAll(connection, concat(answers.splice(0)));
    if (hangsUp) return;
  }
}
