import { Decoder, encodeCommand, type Reply, ServerError } from "../../resp/mod.ts";

/** Sends commands to a server one by one, with nothing but this project's codec. */
export class Commands implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #decoder: Decoder;
  readonly #chunk = new Uint8Array(4096);
  #reply: Reply | undefined;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#decoder = new Decoder({ reply: (reply) => void (this.#reply = reply), push: () => {} });
  }

  /** @param port of the server on this machine */
  static async connect(port: number): Promise<Commands> {
    return new Commands(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /**
   * Sends a command and waits for its reply.
   *
   * @throws {ServerError} if the server answers with an error
   */
  async send(...words: string[]): Promise<Reply> {
    this.#reply = undefined;
    const bytes = encodeCommand(words);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    for (;;) {
      const reply = this.#reply as Reply | undefined;
      if (reply instanceof ServerError) throw reply;
      if (reply !== undefined) return reply;
      const length = await this.#connection.read(this.#chunk);
      if (length === null) throw new Error("The server has ended the connection");
      this.#decoder.write(this.#chunk.subarray(0, length));
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
