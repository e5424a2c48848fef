import { Peer, serveCommands, swallow, writeAll } from "./peer.ts";

/** A server that a sentinel can name. */
export interface Named {
  readonly host: string;
  readonly port: number;
}

/** When a fake sentinel stops answering: when it is connected to, or asked for the first or more. */
export type Silence = "HELLO" | "SENTINEL" | "SUBSCRIBE" | "PING" | null;

/** A sentinel that says what the test wants it to say, in RESP3 or RESP2. */
export class FakeSentinel implements AsyncDisposable {
  readonly #peer: Peer;
  readonly #connections = new Set<Deno.Conn>();
  readonly #subscribers = new Map<Deno.Conn, readonly string[]>();
  /** What it calls the primary; it knows none if null. */
  primary: Named | null;
  /** Grows with each failover; null if it does not tell. */
  epoch: number | null;
  /** Which other sentinels it names, and whether it finds them down; it does not tell if null. */
  others: readonly (Named & { readonly down?: boolean })[] | null = null;
  /** From this command on it says nothing. */
  silentFrom: Silence = null;
  protocol: 2 | 3 = 3;
  /** Which it is, in RESP2; it does not say if empty. */
  runId = "";
  /** How often it was asked for the primary, and said. */
  asked = 0;
  /** How many commands it was sent. */
  commands = 0;

  constructor(primary: Named | null, epoch: number | null = null) {
    this.primary = primary;
    this.epoch = epoch;
    this.#peer = new Peer((connection) => this.#serve(connection));
  }

  get url(): string {
    return this.#peer.url;
  }

  get host(): string {
    return this.#peer.address.hostname;
  }

  get port(): number {
    return this.#peer.address.port;
  }

  /** As the library names it. */
  get node(): string {
    return this.url.slice("redis://".length);
  }

  /** How many follow it. */
  get followers(): number {
    return this.#subscribers.size;
  }

  get connections(): number {
    return this.#peer.connections;
  }

  /** Ends all connections; it can be connected to again. */
  hangUp(): void {
    for (const connection of this.#connections) {
      this.#connections.delete(connection);
      this.#subscribers.delete(connection);
      this.#peer.end(connection);
    }
  }

  /** Says on its channel, and from now on when asked, that there is another primary. */
  async switchTo(primary: Named): Promise<void> {
    const old = this.primary ?? primary;
    this.primary = primary;
    if (this.epoch !== null) this.epoch++;
    const { host, port } = primary;
    await this.publish("+switch-master", `mymaster ${old.host} ${old.port} ${host} ${port}`);
  }

  async publish(channel: string, text: string): Promise<void> {
    const words = ["message", channel, text];
    for (const [connection, channels] of this.#subscribers) {
      if (!channels.includes(channel)) continue;
      await send(connection, (this.protocol === 3 ? ">" : "*") + array(words).slice(1));
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    try {
      let silent = false;
      await serveCommands(connection, (words) => {
        this.commands++;
        silent ||= words[0] === this.silentFrom;
        if (silent) return null;
        if (words[0] === "SUBSCRIBE") this.#subscribers.set(connection, words.slice(1));
        return this.#answer(words);
      });
    } finally {
      this.#connections.delete(connection);
      this.#subscribers.delete(connection);
    }
  }

  #answer(words: readonly string[]): string {
    switch (words[0]) {
      case "HELLO":
        return this.protocol === 3
          ? `%3\r\n${
            ["server", "redis", "version", "7.0.15", "mode", "sentinel"].map(bulk).join("")
          }`
          : "-ERR unknown command 'HELLO'\r\n";
      case "INFO":
        return bulk(`redis_mode:sentinel\r\n${this.runId && `run_id:${this.runId}\r\n`}`);
      case "ROLE":
        return "-ERR unknown command\r\n";
      case "PING":
        return this.protocol === 3 ? "+PONG\r\n" : array(["pong", ""]);
      case "SUBSCRIBE":
        return words.slice(1).map((name, i) =>
          `${this.protocol === 3 ? ">" : "*"}3\r\n${bulk("subscribe")}${bulk(name)}:${i + 1}\r\n`
        ).join("");
      case "SENTINEL":
        return this.#answerSentinel(words[1]!, words[2]!);
      default:
        return "+OK\r\n";
    }
  }

  #answerSentinel(command: string, name: string): string {
    const known = name === "mymaster" ? this.primary : null;
    if (command === "GET-MASTER-ADDR-BY-NAME") {
      this.asked++;
      return known === null ? "*-1\r\n" : array([known.host, String(known.port)]);
    }
    if (command === "SENTINELS") {
      return this.others === null ? "-NOPERM no permissions\r\n" : this.#answerOthers(this.others);
    }
    if (this.epoch === null) return "-NOPERM no permissions\r\n";
    return known === null
      ? "-ERR No such master with that name\r\n"
      : array(["name", name, "config-epoch", String(this.epoch)]);
  }

  #answerOthers(others: readonly (Named & { readonly down?: boolean })[]): string {
    const each = others.map(({ host, port, down }) => {
      const flags = down ? "s_down,sentinel" : "sentinel";
      // The name of one is what the field of another is called.
      return ["name", "ip", "ip", host, "port", String(port), "flags", flags];
    });
    const one = (fields: readonly string[]) =>
      this.protocol === 3 ? `%${fields.length / 2}\r\n${fields.map(bulk).join("")}` : array(fields);
    return `*${each.length}\r\n${each.map(one).join("")}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

/** A sentinel's address at which connections are taken and nothing is ever said. */
export function hangingPeer(): Peer {
  return new Peer(swallow);
}

function bulk(text: string): string {
  return `$${new TextEncoder().encode(text).length}\r\n${text}\r\n`;
}

function array(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map(bulk).join("")}`;
}

async function send(connection: Deno.Conn, text: string): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(text));
}
