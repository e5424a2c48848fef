import { within } from "./wait.ts";

/** A reply as RESP2 has it; bulk strings as text, or as bytes where bytes were asked for. */
export type Reply = string | number | Uint8Array | null | Reply[];

export type Argument = string | number | Uint8Array;

/** Who a client is. */
export interface Credentials {
  username?: string;
  password?: string;
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder();

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A command as clients send it. */
function encode(words: readonly Argument[]): Uint8Array {
  const parts = words.flatMap((word) => {
    const bytes = word instanceof Uint8Array ? word : utf8.encode(String(word));
    return [utf8.encode(`$${bytes.length}\r\n`), bytes, utf8.encode("\r\n")];
  });
  return concat([utf8.encode(`*${words.length}\r\n`), ...parts]);
}

/** Reads replies of RESP2 one after another. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #asBytes: boolean;
  /** Where the next one begins. */
  at: number;

  constructor(bytes: Uint8Array, at: number, asBytes: boolean) {
    this.#bytes = bytes;
    this.#asBytes = asBytes;
    this.at = at;
  }

  /** The next reply, an error for an error reply, or `undefined` if it is not here as a whole. */
  next(): Reply | Error | undefined {
    const end = this.#bytes.indexOf(0x0d, this.at);
    if (end === -1 || end + 2 > this.#bytes.length) return undefined;
    const line = decoder.decode(this.#bytes.subarray(this.at, end));
    this.at = end + 2;
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new Error(rest);
      case ":":
        return Number(rest);
      case "$":
        return this.#bulk(Number(rest));
      case "*":
        return this.#array(Number(rest));
      default:
        throw new Error(`The server sent what is not RESP2: ${line}`);
    }
  }

  #bulk(length: number): Reply | undefined {
    if (length === -1) return null;
    const end = this.at + length;
    if (end + 2 > this.#bytes.length) return undefined;
    const found = this.#bytes.slice(this.at, end);
    this.at = end + 2;
    return this.#asBytes ? found : decoder.decode(found);
  }

  #array(length: number): Reply | Error | undefined {
    if (length === -1) return null;
    const items: Reply[] = [];
    let failed: Error | undefined;
    while (items.length < length) {
      const item = this.next();
      if (item === undefined) return undefined;
      if (item instanceof Error) failed ??= item;
      items.push(item instanceof Error ? null : item);
    }
    return failed ?? items;
  }
}

/** A command that waits for its reply. */
interface Waiting extends PromiseWithResolvers<Reply> {
  readonly asBytes: boolean;
}

/**
 * A plain client that speaks RESP2 to a test's server. It shares no code with the library, so that
 * this is not tested with itself, and is small, because each test file loads it. Each wait has a
 * deadline.
 */
export class TestClient implements AsyncDisposable {
  readonly #connection: Deno.Conn;
  readonly #deadline: number;
  readonly #reading: Promise<void>;
  #waiting: Waiting[] = [];
  #unsent: Uint8Array[] = [];
  #isSending = false;
  #isOpen = true;

  private constructor(connection: Deno.Conn, deadline: number) {
    this.#connection = connection;
    this.#deadline = deadline;
    this.#reading = this.#read();
  }

  /** @param deadline ms that one wait, connecting or a command, may take */
  static async connect(
    at: { path: string } | { host: string; port: number },
    { username, password }: Credentials = {},
    deadline = 10_000,
  ): Promise<TestClient> {
    const connecting: Promise<Deno.Conn> = "path" in at
      ? Deno.connect({ transport: "unix", path: at.path })
      : Deno.connect({ hostname: at.host, port: at.port }).then((tcp) => {
        tcp.setNoDelay();
        return tcp;
      });
    let connection: Deno.Conn;
    try {
      connection = await within(connecting, deadline, "connect");
    } catch (error) {
      connecting.then((late) => late.close(), () => {});
      throw error;
    }
    const client = new TestClient(connection, deadline);
    try {
      if (password !== undefined) {
        await client.command("AUTH", ...username ? [username] : [], password);
      }
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
    return client;
  }

  /**
   * Sends one command; commands sent without waiting are pipelined. An error reply rejects, also one
   * inside an array.
   */
  command(...args: Argument[]): Promise<Reply> {
    return this.#command(args, false);
  }

  /** As {@linkcode command}, with bulk strings as bytes. */
  commandBytes(...args: Argument[]): Promise<Reply> {
    return this.#command(args, true);
  }

  async #command(args: Argument[], asBytes: boolean): Promise<Reply> {
    if (!this.#isOpen) throw new Error("The connection to the server is closed");
    const waiting = { ...Promise.withResolvers<Reply>(), asBytes };
    this.#waiting.push(waiting);
    this.#unsent.push(encode(args));
    void this.#send();
    return await within(waiting.promise, this.#deadline, String(args[0]));
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      // Commands of the same turn go in one write.
      await Promise.resolve();
      while (this.#unsent.length > 0) {
        const bytes = concat(this.#unsent.splice(0));
        for (let at = 0; at < bytes.length;) {
          at += await this.#connection.write(bytes.subarray(at));
        }
      }
    } catch {
      this.close();
    } finally {
      this.#isSending = false;
    }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    let rest: Uint8Array = new Uint8Array();
    try {
      for (let length; (length = await this.#connection.read(buffer)) !== null;) {
        rest = this.#settle(concat([rest, buffer.subarray(0, length)]));
      }
    } catch {
      // The connection broke, or was closed here.
    } finally {
      this.close();
    }
  }

  /** Hands on the replies that have come, and returns what is left. */
  #settle(bytes: Uint8Array): Uint8Array {
    for (let at = 0;;) {
      const [next] = this.#waiting;
      const reader = new Reader(bytes, at, next?.asBytes ?? false);
      const reply = reader.next();
      if (reply === undefined) return bytes.subarray(at);
      at = reader.at;
      this.#waiting.shift();
      if (reply instanceof Error) next?.reject(reply);
      else next?.resolve(reply);
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** May be called again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#connection.close();
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new Error("The connection to the server was closed"));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#reading;
  }
}
