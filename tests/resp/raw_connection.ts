import {
  type CommandArgument,
  Decoder,
  type DecoderOptions,
  encodeCommand,
  type Reply,
} from "../../resp/mod.ts";

const DEADLINE_MS = 10_000;

/** One connection to a real server with nothing but the codec: a command, its reply, every byte. */
export class RawConnection implements Disposable {
  readonly pushes: Reply[][] = [];
  readonly received: Uint8Array[] = [];
  readonly decoder: Decoder;
  readonly #replies: Reply[] = [];
  readonly #socket: Deno.TcpConn;
  readonly #buffer = new Uint8Array(2 ** 16);

  private constructor(socket: Deno.TcpConn, options: DecoderOptions) {
    this.#socket = socket;
    this.decoder = new Decoder({
      reply: (reply) => this.#replies.push(reply),
      push: (items) => this.pushes.push(items),
    }, options);
  }

  static async connect(port: number, options: DecoderOptions = {}): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }), options);
  }

  /** Sends a command and waits for its reply. */
  async command(...args: CommandArgument[]): Promise<Reply> {
    await this.send(...args);
    await this.#readUntil(() => this.#replies.length > 0);
    return this.#replies.shift()!;
  }

  async send(...args: CommandArgument[]): Promise<void> {
    const wire = encodeCommand(args);
    for (let at = 0; at < wire.length;) at += await this.#socket.write(wire.subarray(at));
  }

  /** Waits until so many pushes have come since the beginning. */
  async pushed(count: number): Promise<void> {
    await this.#readUntil(() => this.pushes.length >= count);
  }

  async #readUntil(done: () => boolean): Promise<void> {
    const timer = setTimeout(() => this.#socket.close(), DEADLINE_MS);
    try {
      while (!done()) {
        const length = await this.#socket.read(this.#buffer);
        if (length === null) throw new Error("The server closed the connection");
        const chunk = this.#buffer.subarray(0, length);
        this.received.push(chunk.slice());
        this.decoder.write(chunk);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
