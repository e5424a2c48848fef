import {
  type CommandArgument,
  Decoder,
  dial,
  encodeCommand,
  formatAddress,
  type Reply,
  RespMap,
  ServerError,
  type Transport,
} from "../mod.ts";
import type { Target } from "./connection.ts";

/** How long dialling, and any one answer, may take, in ms. */
const LIMIT = 5_000;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** Plain questions and answers with one server, in RESP2, for what the library has no words for. */
export class Session {
  readonly #transport: Transport;
  readonly #server: string;
  readonly #pending: Pending[] = [];
  readonly #release: () => void;
  #over: Error | null = null;

  private constructor(transport: Transport, server: string, signal: AbortSignal) {
    this.#transport = transport;
    this.#server = server;
    const abort = () => this.#end(signal.reason);
    signal.addEventListener("abort", abort);
    this.#release = () => signal.removeEventListener("abort", abort);
    this.#read();
  }

  /**
   * Dials, and says who this is.
   *
   * @throws what dialling throws, and the server's refusal
   */
  static async open(
    { address, tls, username, password }: Omit<Target, "url" | "db">,
    signal: AbortSignal,
  ): Promise<Session> {
    const limit = AbortSignal.timeout(LIMIT);
    const transport = await dial(address, { signal: AbortSignal.any([signal, limit]), tls });
    const session = new Session(transport, formatAddress(address), signal);
    try {
      if (signal.aborted) throw signal.reason;
      const user = username === undefined ? [] : [username];
      if (password !== undefined) await session.command("AUTH", ...user, password);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /**
   * Sends a command.
   *
   * @returns the reply, its bulk strings as text
   * @throws {ServerError} when the server answers with an error
   * @throws {Error} when the session is over, or no answer comes in time, which ends it
   */
  async command(...command: CommandArgument[]): Promise<Reply> {
    if (this.#over !== null) throw this.#over;
    const timer = setTimeout(() => {
      this.#end(new Error(`no answer to ${command[0]} from ${this.#server} within ${LIMIT} ms`));
    }, LIMIT);
    try {
      const reply = new Promise<Reply>((resolve, reject) => {
        this.#pending.push({ resolve, reject });
      });
      this.#transport.write(encodeCommand(command)).catch((error) => this.#end(error));
      return await reply;
    } finally {
      clearTimeout(timer);
    }
  }

  /** As {@linkcode command}, but gives a refusal in place of throwing it. */
  async ask(...command: CommandArgument[]): Promise<Reply> {
    try {
      return await this.command(...command);
    } catch (error) {
      if (error instanceof ServerError) return error;
      throw error;
    }
  }

  /** Ends the connection. Safe to call twice. */
  close(): void {
    this.#end(new Error(`the connection to ${this.#server} was closed`));
  }

  #end(reason: Error): void {
    if (this.#over !== null) return;
    this.#over = reason;
    this.#release();
    this.#transport.close();
    for (const { reject } of this.#pending.splice(0)) reject(reason);
  }

  async #read(): Promise<void> {
    const decoder = new Decoder({
      reply: (reply) => {
        const pending = this.#pending.shift();
        if (pending === undefined) {
          const words = reply instanceof ServerError ? `: ${reply.message}` : "";
          throw new Error(`${this.#server} sent a reply to no command${words}`);
        }
        if (reply instanceof ServerError) pending.reject(reply);
        else pending.resolve(reply);
      },
      push() {},
    }, { strings: "text" });
    try {
      for (;;) {
        const chunk = await this.#transport.read();
        if (chunk === null) break;
        decoder.write(chunk);
      }
      this.#end(new Error(`${this.#server} closed the connection`));
    } catch (error) {
      this.#end(error as Error);
    }
  }
}

/** A reply that lists names and values, as `CONFIG GET` gives it; null when it is none. */
export function fieldsOf(reply: Reply): Map<string, Reply> | null {
  const items = reply instanceof RespMap ? reply.items : reply;
  if (!Array.isArray(items)) return null;
  const fields = new Map<string, Reply>();
  for (let i = 0; i + 1 < items.length; i += 2) fields.set(String(items[i]), items[i + 1]!);
  return fields;
}
