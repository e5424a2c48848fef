import { sleep } from "../servers/mod.ts";
import type { Entry } from "./book.ts";

export interface LaneOptions {
  /** For the ledger; each connection's writes are in an order of their own. */
  readonly name: string;
  /**
   * The server, asked again and again: when it is another one, that one is connected to. Null while
   * there is none.
   */
  target(): { readonly host: string; readonly port: number } | null;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Called with each error reply, as the server wrote it. */
  onError?(line: string): void;
}

/** A command, and the writes it makes. */
export interface Command {
  readonly words: readonly string[];
  readonly entries?: readonly Entry[];
  /** The reply which means that nothing happened, besides errors. */
  readonly refusal?: string;
  /** Called with the reply, as the server wrote it. */
  readonly onReply?: (line: string) => void;
}

/** An answer that means another server, or this one a little later. */
const ELSEWHERE = /^-(?:READONLY|LOADING|MASTERDOWN|NOAUTH|CLUSTERDOWN)/;

/** How many commands may wait for their answer: a server that hangs costs bounded memory. */
const WINDOW = 20_000;

/** The way of commands to one server; connections that end are opened again until it is stopped. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #running: Promise<void>;
  #stopping = false;
  #connections = 0;
  #connection: LaneConnection | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** How writes are to call the way they take now; null while there is none. */
  get name(): string | null {
    const connection = this.#connection;
    if (connection === null || !connection.isReady) return null;
    return `${this.#options.name}#${this.#connections}`;
  }

  /** Sends commands; asked while {@linkcode name} is not null, and nothing was awaited since. */
  send(commands: readonly Command[]): void {
    this.#connection!.send(commands);
  }

  /** Resolves once everything that was sent is answered, or will never be. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const target = this.#options.target();
      const socket = target === null
        ? null
        : await Deno.connect({ hostname: target.host, port: target.port }).catch(() => null);
      if (socket !== null) {
        this.#connections++;
        this.#connection = new LaneConnection(socket, this.#options);
        await this.#connection.run({
          isStopping: () => this.#stopping,
          hasMoved: () => this.#options.target()?.port !== target!.port,
        });
        this.#connection = null;
      }
      await sleep(10);
    }
  }
}

class LaneConnection {
  readonly #socket: Deno.TcpConn;
  readonly #options: LaneOptions;
  /** What the server has been asked, and has not answered yet. */
  readonly #asked: Command[] = [];
  #writing = 0;
  #stopping = false;
  #over = false;

  constructor(socket: Deno.TcpConn, options: LaneOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Whether it takes commands now. */
  get isReady(): boolean {
    return !this.#over && !this.#stopping && this.#writing === 0 && this.#asked.length < WINDOW;
  }

  send(commands: readonly Command[]): void {
    let text = "";
    for (const command of commands) {
      text += encode(command.words);
      this.#asked.push(command);
    }
    this.#write(new TextEncoder().encode(text));
  }

  /**
   * Resolves once the connection is over: broken, or ended when the server is another one now, or
   * when everything is stopping and the server has had its time to answer.
   */
  async run(ends: { isStopping(): boolean; hasMoved(): boolean }): Promise<void> {
    const reading = this.#read();
    const { credentials } = this.#options;
    if (credentials) {
      const words = ["AUTH", credentials.username, credentials.password];
      this.send([{ words }]);
    }
    let deadline = Infinity;
    while (!this.#over && !ends.hasMoved() && performance.now() < deadline) {
      if (ends.isStopping()) {
        this.#stopping = true;
        deadline = Math.min(deadline, performance.now() + 10_000);
        if (this.#asked.length === 0) break;
      }
      await sleep(5);
    }
    this.#end();
    await reading;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#writing++;
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#socket.write(bytes.subarray(sent));
      }
    } catch {
      this.#end();
    }
    this.#writing--;
  }

  /** Every answer to what is asked here is one line. */
  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    let rest = "";
    // Null at its end, also when it breaks or is ended here.
    const read = () => this.#socket.read(buffer).catch(() => null);
    for (let length; (length = await read()) !== null;) {
      const lines = (rest + decoder.decode(buffer.subarray(0, length))).split("\r\n");
      rest = lines.pop()!;
      const now = Date.now();
      for (const line of lines) this.#answered(line, now);
    }
    this.#end();
  }

  #answered(line: string, now: number): void {
    const command = this.#asked.shift();
    if (command === undefined) throw new Error(`An answer that nobody asked for: ${line}`);
    const isError = line.startsWith("-");
    for (const entry of command.entries ?? []) {
      entry.answeredAt = now;
      entry.refused = isError || line === command.refusal;
    }
    command.onReply?.(line);
    if (!isError) return;
    this.#options.onError?.(line);
    if (ELSEWHERE.test(line)) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.close();
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}
