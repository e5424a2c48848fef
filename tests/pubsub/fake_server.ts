import { Peer, serveCommands } from "./peer.ts";

/** A primary that stands alone, in RESP3. */
const HELLO =
  "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";

/** What a fake server says to a command: bytes of RESP; nothing, when it is null. */
export type Answer = (words: readonly string[]) => string | null;

/** A server that says what the test wants it to say. */
export class FakeServer implements AsyncDisposable {
  /** The commands it was sent, by all connections. */
  readonly commands: string[] = [];
  readonly #peer: Peer;
  readonly #connections = new Set<Deno.Conn>();
  readonly #answer: Answer;

  /** @param answer says what to answer; what it leaves undefined is answered as a server does */
  constructor(answer: (words: readonly string[]) => string | null | undefined) {
    this.#answer = (words) => {
      const given = answer(words);
      return given === undefined ? usual(words) : given;
    };
    this.#peer = new Peer((connection) => this.#serve(connection));
  }

  get url(): string {
    return this.#peer.url;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#peer.connections;
  }

  /** Whether it was sent that command. */
  heard(command: string): boolean {
    return this.commands.some((text) => text.startsWith(command));
  }

  /** Ends all connections; it can be connected to again. */
  hangUp(): void {
    for (const connection of [...this.#connections]) this.#peer.end(connection);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    try {
      await serveCommands(connection, (words) => {
        this.commands.push(words.join(" "));
        return this.#answer(words);
      });
    } finally {
      this.#connections.delete(connection);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

/** What a server says that speaks RESP3 and has all flags set. */
function usual([name, ...words]: readonly string[]): string {
  switch (name) {
    case "HELLO":
      return HELLO;
    case "PING":
      return "+PONG\r\n";
    case "CONFIG":
      return "%1\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n";
    case "SUBSCRIBE":
    case "PSUBSCRIBE":
    case "UNSUBSCRIBE":
    case "PUNSUBSCRIBE":
      return words.map((word, n) =>
        `>3\r\n$${name.length}\r\n${name.toLowerCase()}\r\n$${word.length}\r\n${word}\r\n:${n}\r\n`
      ).join("");
    default:
      return "+OK\r\n";
  }
}
