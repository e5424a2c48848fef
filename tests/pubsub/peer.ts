/** A peer on loopback that does what a real server cannot be made to do. */
export class Peer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #served: Promise<void>;

  /** @param serve what it does with a connection; it is closed when that ends */
  constructor(serve: (connection: Deno.TcpConn) => Promise<void>) {
    this.#served = this.#accept(serve);
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** `redis://127.0.0.1:port` */
  get url(): string {
    return `redis://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #accept(serve: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      serving.push(
        // A connection that breaks, or is closed below, ends its service.
        serve(connection).catch(() => {}).finally(() => this.#end(connection)),
      );
    }
    await Promise.all(serving);
  }

  #end(connection: Deno.TcpConn): void {
    if (!this.#connections.delete(connection)) return;
    connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) this.#end(connection);
    await this.#served;
  }
}

/** Reads until the other side ends. */
export async function swallow(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await connection.read(buffer) !== null);
}

/** Answers whatever comes first with these words, then reads on. */
export function answer(words: string): (connection: Deno.TcpConn) => Promise<void> {
  return async (connection) => {
    await connection.read(new Uint8Array(1024));
    await connection.write(new TextEncoder().encode(words));
    await swallow(connection);
  };
}
