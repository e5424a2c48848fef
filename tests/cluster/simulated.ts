import { hashSlot } from "../../cluster/mod.ts";
import { Peer, serveCommands, writeAll } from "../pubsub/peer.ts";

const SLOTS = 16_384;

/** What a node of a simulated cluster says about one node. */
export interface Told {
  readonly id: string;
  readonly port: number;
  readonly role: "master" | "replica";
  readonly health: "online" | "failed" | "loading";
}

/** What a node says about one shard. */
export interface ToldShard {
  /** `[first, last, first, last …]` */
  readonly slots: readonly number[];
  readonly nodes: readonly Told[];
}

const utf8 = new TextEncoder();

function bulk(text: string): string {
  return `$${utf8.encode(text).length}\r\n${text}\r\n`;
}

/** The answer to `CLUSTER SHARDS`, in RESP3. */
function shardsReply(shards: readonly ToldShard[]): Uint8Array<ArrayBuffer> {
  const node = ({ id, port, role, health }: Told) =>
    `%7\r\n${bulk("id")}${bulk(id)}${bulk("port")}:${port}\r\n${bulk("ip")}${bulk("127.0.0.1")}` +
    `${bulk("endpoint")}${bulk("127.0.0.1")}${bulk("role")}${bulk(role)}` +
    `${bulk("replication-offset")}:72156\r\n${bulk("health")}${bulk(health)}`;
  const shard = ({ slots, nodes }: ToldShard) =>
    `%2\r\n${bulk("slots")}*${slots.length}\r\n${slots.map((slot) => `:${slot}\r\n`).join("")}` +
    `${bulk("nodes")}*${nodes.length}\r\n${nodes.map(node).join("")}`;
  return utf8.encode(`*${shards.length}\r\n${shards.map(shard).join("")}`);
}

/** The answer to `CLUSTER SLOTS`, which names those that have not failed. */
function slotsReply(shards: readonly ToldShard[]): Uint8Array<ArrayBuffer> {
  const node = ({ id, port }: Told) => `*3\r\n${bulk("127.0.0.1")}:${port}\r\n${bulk(id)}`;
  const ranges = shards.flatMap(({ slots, nodes }) => {
    const told = nodes.filter(({ health }) => health !== "failed").map(node);
    return Array.from({ length: slots.length / 2 }, (_, n) => {
      const [first, last] = slots.slice(2 * n);
      return `*${2 + told.length}\r\n:${first}\r\n:${last}\r\n${told.join("")}`;
    });
  });
  return utf8.encode(`*${ranges.length}\r\n${ranges.join("")}`);
}

/** The answer to `CLUSTER MIGRATION STATUS`. */
function movesReply(
  moves: readonly Readonly<Record<string, string>>[],
): Uint8Array<ArrayBuffer> {
  const rows = moves.map((fields) =>
    `%${Object.keys(fields).length}\r\n${Object.entries(fields).flat().map(bulk).join("")}`
  );
  return utf8.encode(`*${rows.length}\r\n${rows.join("")}`);
}

function unknownCommand(name: string): string {
  return `-ERR unknown command '${name}'\r\n`;
}

/** A small server that takes itself for a node of a cluster: handshake, topology, subscriptions. */
export class SimulatedNode implements AsyncDisposable {
  readonly id: string;
  readonly #cluster: SimulatedCluster;
  readonly #peer: Peer;
  readonly #subscribers = new Map<Deno.Conn, Set<string>>();
  /** Shard channels of each connection, by slot. */
  readonly #fences = new Map<Deno.Conn, Map<number, string>>();
  /** What it says of the cluster, where that is not what the others say; an error if text. */
  told: readonly ToldShard[] | string | null = null;
  #owned: readonly number[] | null = null;
  /** What it answers to `CLUSTER SHARDS`, which it does not know; it knows `CLUSTER SLOTS`. */
  older: string | null = null;
  /** Reads what it is asked, and answers only what is not in this list: names of commands. */
  mute: readonly string[] = [];
  /** Answers what is in this list, names of commands, with an error. */
  refused: readonly string[] = [];
  /** Channels that it lets nobody subscribe. */
  refusedChannels: readonly string[] = [];
  /** What it says that it is. */
  role: "master" | "slave" = "master";
  /** Does not know what is in this list, names of commands. */
  unknown: readonly string[] = [];
  /** Its `notify-keyspace-events`. */
  flags = "AKE";
  /** Its rows of `CLUSTER MIGRATION STATUS`, which it does not know if this is null. */
  moves: readonly Readonly<Record<string, string>>[] | null = null;
  /** How many nodes it knows; null if it does not say. */
  known: number | null = null;
  /** The epoch of the cluster, as far as it knows. */
  epoch = 1;
  /** What it answers to `CLUSTER NODES`, which it does not know if this is null. */
  line: string | null = null;
  /** What it waits for before it answers anything. */
  hold: Promise<void> | null = null;
  /** Called with the name of each command that comes, before it is answered. */
  onAsked: (name: string) => void = () => {};
  /** How often it was asked for the topology. */
  asked = 0;

  constructor(cluster: SimulatedCluster, id: string) {
    this.id = id;
    this.#cluster = cluster;
    this.#peer = new Peer((connection) => this.#serve(connection));
  }

  /** The slots that it owns, as `[first, last, …]`; what the cluster says of it if null. */
  get owned(): readonly number[] | null {
    return this.#owned;
  }

  set owned(owned: readonly number[] | null) {
    this.#owned = owned;
    this.endFences();
  }

  get port(): number {
    return this.#peer.address.port;
  }

  get url(): string {
    return this.#peer.url;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#peer.connections;
  }

  /** The channels and patterns to which connections are subscribed. */
  get channels(): string[] {
    return [...this.#subscribers.values()].flatMap((channels) => [...channels]).toSorted();
  }

  /** How it is listed by nodes that know it as a healthy primary. */
  get primary(): Told {
    return { id: this.id, port: this.port, role: "master", health: "online" };
  }

  /** The line that it has for itself in `CLUSTER NODES`. */
  lineAs(role: "master" | "slave", ...slots: readonly string[]): string {
    const primary = role === "master" ? "-" : "a".repeat(40);
    const words = [`myself,${role}`, primary, 0, 0, 1, "connected", ...slots];
    return `${this.id} 127.0.0.1:${this.port}@1 ${words.join(" ")}\n`;
  }

  /** Publishes a notification to those who have subscribed the pattern, or the channel of that name. */
  async publish(pattern: string, channel: string, payload: string): Promise<void> {
    const words = pattern === channel
      ? ["message", channel, payload]
      : ["pmessage", pattern, channel, payload];
    const frame = utf8.encode(`>${words.length}\r\n${words.map(bulk).join("")}`);
    for (const [connection, patterns] of this.#subscribers) {
      if (patterns.has(pattern)) await writeAll(connection, frame);
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    try {
      await serveCommands(
        connection,
        (words) => this.#answer(connection, words),
        () => this.hold,
      );
    } finally {
      this.#subscribers.delete(connection);
      this.#fences.delete(connection);
    }
  }

  #answer(
    connection: Deno.Conn,
    [name, ...words]: readonly string[],
  ): string | Uint8Array {
    const asks = name === "CLUSTER" ? `CLUSTER ${words[0]}` : name!;
    if (asks === "CLUSTER SHARDS") this.asked++;
    this.onAsked(asks);
    if (this.mute.includes(asks)) return "";
    if (this.refused.includes(asks)) return "-NOPERM no\r\n";
    if (this.unknown.includes(asks)) return unknownCommand(name!);
    switch (asks) {
      case "HELLO":
        return `%5\r\n${bulk("server")}${bulk("redis")}${bulk("version")}${bulk("7.0.15")}` +
          `${bulk("proto")}:3\r\n${bulk("mode")}${bulk("cluster")}` +
          `${bulk("role")}${bulk(this.role === "master" ? this.role : "replica")}`;
      case "CLIENT":
        return "+OK\r\n";
      case "PING":
        return "+PONG\r\n";
      case "ROLE":
        return `*3\r\n${bulk(this.role)}:72156\r\n*0\r\n`;
      case "CONFIG":
        return `%1\r\n${bulk("notify-keyspace-events")}${bulk(this.flags)}`;
      case "CLUSTER SHARDS":
        if (this.older !== null) return `-${this.older}\r\n`;
        if (typeof this.told === "string") return `-${this.told}\r\n`;
        return this.told === null ? this.#cluster.answer : shardsReply(this.told);
      case "CLUSTER SLOTS":
        if (this.older !== null) return slotsReply(this.#cluster.shards);
        return "-ERR unknown subcommand\r\n";
      case "CLUSTER INFO":
        return bulk(
          `cluster_current_epoch:${this.epoch}\r\ncluster_my_epoch:${this.epoch}\r\n` +
            (this.known === null ? "" : `cluster_known_nodes:${this.known}\r\n`),
        );
      case "CLUSTER NODES":
        if (this.line !== null) return bulk(this.line);
        return "-ERR unknown subcommand\r\n";
      case "CLUSTER MIGRATION":
        if (this.moves !== null) return movesReply(this.moves);
        return "-ERR unknown subcommand\r\n";
      case "SUBSCRIBE":
      case "PSUBSCRIBE":
      case "UNSUBSCRIBE":
      case "PUNSUBSCRIBE":
        return this.#subscribe(connection, asks, words);
      case "SSUBSCRIBE":
        return this.#fence(connection, words[0]!);
      default:
        return unknownCommand(name!);
    }
  }

  /** Ends the shard channels of slots that are not its own any more, as a server does. */
  endFences(): void {
    for (const [connection, fences] of this.#fences) {
      let ended = "";
      for (const [slot, channel] of fences) {
        if (this.#owns(slot)) continue;
        fences.delete(slot);
        ended += `>3\r\n${bulk("sunsubscribe")}${bulk(channel)}:${fences.size}\r\n`;
      }
      // A connection that is over needs none.
      if (ended !== "") writeAll(connection, utf8.encode(ended)).catch(() => {});
    }
  }

  #owns(slot: number): boolean {
    const isIn = (slots: readonly number[]) =>
      slots.some((first, n) => n % 2 === 0 && first <= slot && slot <= slots[n + 1]!);
    if (this.#owned !== null) return isIn(this.#owned);
    return this.#cluster.shards.some(({ slots, nodes }) =>
      nodes.some(({ id, role }) => id === this.id && role === "master") && isIn(slots)
    );
  }

  #fence(connection: Deno.Conn, channel: string): string {
    const slot = hashSlot(channel);
    if (!this.#owns(slot)) return `-MOVED ${slot} 127.0.0.1:1\r\n`;
    const fences = this.#fences.get(connection) ?? new Map<number, string>();
    this.#fences.set(connection, fences.set(slot, channel));
    return `>3\r\n${bulk("ssubscribe")}${bulk(channel)}:${fences.size}\r\n`;
  }

  /** Ends every connection. */
  disconnect(): void {
    for (const connection of this.#subscribers.keys()) this.#peer.end(connection);
  }

  #subscribe(
    connection: Deno.Conn,
    name: string,
    patterns: readonly string[],
  ): string {
    if (patterns.some((pattern) => this.refusedChannels.includes(pattern))) return "-NOPERM no\r\n";
    const held = this.#subscribers.get(connection) ?? new Set();
    this.#subscribers.set(connection, held);
    const confirmations = patterns.map((pattern) => {
      if (name.includes("UNSUB")) held.delete(pattern);
      else held.add(pattern);
      return `>3\r\n${bulk(name.toLowerCase())}${bulk(pattern)}:${held.size}\r\n`;
    });
    return confirmations.join("");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

/** Small servers on loopback that say what the test wants them to say of themselves, in RESP3. */
export class SimulatedCluster implements AsyncDisposable {
  readonly nodes: readonly SimulatedNode[];
  #shards: readonly ToldShard[] = [];
  /** What every node answers that has nothing else to say. */
  answer: Uint8Array<ArrayBuffer> = new Uint8Array();

  /** @param primaries how many nodes there are; they share the slots evenly */
  constructor(primaries: number) {
    this.nodes = Array.from(
      { length: primaries },
      (_, n) => new SimulatedNode(this, n.toString(16).padStart(40, "0")),
    );
    this.shards = this.nodes.map((node, n) => ({
      slots: [
        Math.round(n * SLOTS / primaries),
        Math.round((n + 1) * SLOTS / primaries) - 1,
      ],
      nodes: [node.primary],
    }));
  }

  get shards(): readonly ToldShard[] {
    return this.#shards;
  }

  set shards(shards: readonly ToldShard[]) {
    this.#shards = shards;
    this.answer = shardsReply(shards);
    for (const node of this.nodes) node.endFences();
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
