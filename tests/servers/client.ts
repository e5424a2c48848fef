import { Buffer } from "node:buffer";
import { createClient, type RedisClientType, RESP_TYPES } from "npm:@redis/client@6.3.1";
import type { Credentials } from "./server_process.ts";
import { within } from "./wait.ts";

/** A reply as RESP2 has it; bulk strings as text, or as bytes where bytes were asked for. */
export type Reply = string | number | Uint8Array | null | Reply[];

export type Argument = string | number | Uint8Array;

// deno-lint-ignore ban-types -- how that package writes "no modules, functions, scripts"
type Connection = RedisClientType<{}, {}, {}, 2, {}>;
type SendOptions = Parameters<Connection["sendCommand"]>[1];

/**
 * A plain client that speaks to a test's server. Another project's, so that this library is not
 * tested with itself; without reconnect, so that no timer outlives it; each wait has a deadline.
 */
export class TestClient implements AsyncDisposable {
  readonly #client: Connection;
  readonly #deadline: number;

  private constructor(
    at: { path: string } | { host: string; port: number },
    options: Credentials,
    deadline: number,
  ) {
    this.#deadline = deadline;
    this.#client = createClient({
      ...options,
      RESP: 2,
      disableClientInfo: true,
      socket: { ...at, connectTimeout: deadline, reconnectStrategy: false },
    });
    // Without a listener an error event would end the process; each command rejects by itself.
    this.#client.on("error", () => {});
  }

  /** @param deadline ms that one wait, connecting or a command, may take */
  static async connect(
    at: { path: string } | { host: string; port: number },
    options: Credentials = {},
    deadline = 10_000,
  ): Promise<TestClient> {
    const client = new TestClient(at, options, deadline);
    try {
      await within(client.#client.connect(), deadline, "connect");
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** Sends one command; commands sent without waiting are pipelined. An error reply rejects. */
  async command(...args: Argument[]): Promise<Reply> {
    return await this.#send(args, undefined) as Reply;
  }

  /** As {@linkcode command}, with bulk strings as bytes. */
  async commandBytes(...args: Argument[]): Promise<Reply> {
    return await this.#send(args, { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }) as Reply;
  }

  #send(args: Argument[], options: SendOptions): Promise<unknown> {
    const words = args.map((arg) =>
      arg instanceof Uint8Array
        ? Buffer.from(arg.buffer as ArrayBuffer, arg.byteOffset, arg.byteLength)
        : String(arg)
    );
    return within(this.#client.sendCommand(words, options), this.#deadline, words[0]!.toString());
  }

  get isOpen(): boolean {
    return this.#client.isReady;
  }

  close(): void {
    if (this.#client.isOpen) this.#client.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
