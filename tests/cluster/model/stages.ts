/** A source and a target of migrations, and a replica of the source: real ones, and those of the model. */
import { hashSlot } from "../../../cluster/discovery/mod.ts";
import { encodeCommand } from "../../../resp/mod.ts";
import { type TestCluster, type TestServer, until } from "../../servers/mod.ts";
import type { VirtualClock } from "./clock.ts";
import type { ModelCluster } from "./cluster.ts";
import { failOver, replicaOf } from "./failovers.ts";
import { cleaner, Frames } from "./frames.ts";
import { migrateAtomically, sendKeys, setNode, stabilize } from "./migrations.ts";
import type { ModelNode, Value } from "./node.ts";
import { changeOf } from "./operations.ts";
import type { Profile } from "./profiles.ts";

export const SIDES = ["source", "target", "replica"] as const;
export const PROTOCOLS = [3, 2] as const;

/** A node of the stage. The replica is the source's. */
export type Side = typeof SIDES[number];
export type Protocol = typeof PROTOCOLS[number];

/** Commands that create a key of a type, and how long it lives, in ms. */
export interface Made {
  readonly key: string;
  readonly type: Value["type"];
  readonly ttl?: number;
}

/**
 * What can be done to a slot. On each side, a client in each protocol has subscribed to the events of
 * the slot's keys.
 */
export interface Stage {
  make(side: Side, made: Made, isAsking?: boolean): Promise<void>;
  del(side: Side, key: string, isAsking?: boolean): Promise<void>;
  importing(): Promise<void>;
  migrating(): Promise<void>;
  migrate(keys: readonly string[]): Promise<void>;
  setNode(side: Side): Promise<void>;
  stable(side: Side): Promise<void>;
  /** Every node hears that the target owns the slot. */
  heard(): Promise<void>;
  atomically(): Promise<void>;
  /** The replica takes over, and the source follows it. */
  failOver(): Promise<void>;
  /** Takes the permission to run `SSUBSCRIBE` away, or gives it back. */
  allowFences(side: Side, isAllowed: boolean): Promise<void>;
  /** Sends a command on the connections of the notifications. */
  send(side: Side, ...command: string[]): Promise<void>;
  /** What those connections have received, once everything has. */
  frames(side: Side, protocol: Protocol): Promise<string[]>;
}

/** A connection to a side, in a protocol. */
interface Client {
  readonly side: Side;
  readonly protocol: Protocol;
  readonly frames: Frames;
  write(...command: string[]): void | Promise<void>;
}

const pattern = (tag: string) => `__keyspace@0__:${tag}*`;

/** The stage on the model. */
export class ModelStage implements Stage {
  readonly #cluster: ModelCluster;
  readonly #clock: VirtualClock;
  readonly #nodes: Record<Side, ModelNode>;
  readonly #clients: Client[] = [];
  readonly #slot: number;

  private constructor(clock: VirtualClock, cluster: ModelCluster, tag: string) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.#slot = hashSlot(tag);
    const source = cluster.ownerOf(this.#slot);
    const target = cluster.nodes.find((node) => node !== source && node.isPrimary)!;
    this.#nodes = { source, target, replica: replicaOf(cluster, source)! };
  }

  static async open(clock: VirtualClock, cluster: ModelCluster, tag: string): Promise<ModelStage> {
    const stage = new ModelStage(clock, cluster, tag);
    const clean = cleaner(
      SIDES.map((side) => [side, stage.#nodes[side].port, stage.#nodes[side].id]),
    );
    for (const side of SIDES) {
      for (const protocol of PROTOCOLS) {
        const address = { hostname: "127.0.0.1", port: stage.#nodes[side].port };
        const { signal } = new AbortController();
        const frames = new Frames(clean);
        cluster.dial(address, { signal }).then(async (transport) => {
          const write = (...command: string[]) => transport.write(encodeCommand(command));
          stage.#clients.push({ side, protocol, frames, write });
          for (let chunk; (chunk = await transport.read()) !== null;) frames.write(chunk);
        });
        await clock.run(10);
        const client = stage.#clients.at(-1)!;
        if (protocol === 3) client.write("HELLO", "3");
        client.write("PSUBSCRIBE", pattern(tag));
      }
    }
    await clock.run(10);
    return stage;
  }

  async make(side: Side, { key, type, ttl }: Made): Promise<void> {
    const node = this.#nodes[side];
    node.change(changeOf(node, key, type), "a write");
    if (ttl !== undefined) {
      const value = { type, expiresAt: this.#clock.now + ttl };
      node.change({ key, value, events: ["expire"], repeated: ["expire"] }, "PEXPIRE");
    }
    await this.#clock.run(10);
  }

  async del(side: Side, key: string): Promise<void> {
    this.#nodes[side].change({ key, value: null, events: ["del"], repeated: ["del"] }, "DEL");
    await this.#clock.run(10);
  }

  async importing(): Promise<void> {
    this.#nodes.target.setSlot(this.#slot, "importing", this.#nodes.source);
    await this.#clock.run(10);
  }

  async migrating(): Promise<void> {
    this.#nodes.source.setSlot(this.#slot, "migrating", this.#nodes.target);
    await this.#clock.run(10);
  }

  async migrate(keys: readonly string[]): Promise<void> {
    this.#cluster.spawn(sendKeys(this.#nodes.source, this.#nodes.target, keys));
    await this.#clock.run(10);
  }

  async setNode(side: Side): Promise<void> {
    setNode(this.#nodes[side], this.#slot, this.#nodes.target);
    await this.#clock.run(100);
  }

  async stable(side: Side): Promise<void> {
    stabilize(this.#slot, this.#nodes[side]);
    await this.#clock.run(10);
  }

  async heard(): Promise<void> {
    await this.#clock.run(2_000);
  }

  async atomically(): Promise<void> {
    this.#cluster.spawn(migrateAtomically(this.#cluster, [this.#slot], this.#nodes.target));
    await this.#clock.run(3_000);
  }

  async failOver(): Promise<void> {
    this.#cluster.spawn(failOver(this.#cluster, this.#nodes.source, "orderly"));
    await this.#clock.run(3_000);
  }

  allowFences(side: Side, isAllowed: boolean): Promise<void> {
    this.#nodes[side].allowsFences = isAllowed;
    return Promise.resolve();
  }

  async send(side: Side, ...command: string[]): Promise<void> {
    for (const client of this.#clients) if (client.side === side) client.write(...command);
    await this.#clock.run(10);
  }

  async frames(side: Side, protocol: Protocol): Promise<string[]> {
    await this.#clock.run(100);
    return this.#clients.find((client) => client.side === side && client.protocol === protocol)!
      .frames.texts;
  }
}

const COMMANDS: Record<Value["type"], readonly string[]> = {
  string: ["SET"],
  hash: ["HSET"],
  list: ["RPUSH"],
  set: ["SADD"],
};

/** The stage on real servers. */
export class RealStage implements Stage, AsyncDisposable {
  readonly #profile: Profile;
  readonly #cluster: TestCluster;
  readonly #nodes: Record<Side, TestServer>;
  readonly #ids: Record<Side, string>;
  readonly #slot: number;
  readonly #clients: (Client & { readonly connection: Deno.Conn; readonly end: Promise<void> })[] =
    [];

  private constructor(
    profile: Profile,
    cluster: TestCluster,
    nodes: Record<Side, TestServer>,
    ids: Record<Side, string>,
    slot: number,
  ) {
    this.#profile = profile;
    this.#cluster = cluster;
    this.#nodes = nodes;
    this.#ids = ids;
    this.#slot = slot;
  }

  static async open(profile: Profile, cluster: TestCluster, tag: string): Promise<RealStage> {
    const source = await cluster.ownerOf(tag);
    const lines = String(await source.command("CLUSTER", "NODES")).trim().split("\n")
      .map((line) => line.split(" "));
    const idOf = new Map(lines.map(([id, address]) => [/:(\d+)@/.exec(address!)![1], id!]));
    const sourceId = idOf.get(`${source.port}`)!;
    const follows = new Map(lines.map(([id, , , primary]) => [id, primary]));
    const role = (server: TestServer) => follows.get(idOf.get(`${server.port}`));
    const replica = cluster.servers.find((server) => role(server) === sourceId)!;
    const target = cluster.servers.find((one) => one !== source && role(one) === "-")!;
    const nodes = { source, target, replica };
    const ids = {
      source: sourceId,
      target: idOf.get(`${target.port}`)!,
      replica: idOf.get(`${replica.port}`)!,
    };
    const stage = new RealStage(profile, cluster, nodes, ids, hashSlot(tag));
    const clean = cleaner(SIDES.map((side) => [side, nodes[side].port, ids[side]]));
    for (const side of SIDES) {
      for (const protocol of PROTOCOLS) await stage.#connect(side, protocol, tag, clean);
    }
    return stage;
  }

  async #connect(
    side: Side,
    protocol: Protocol,
    tag: string,
    clean: (text: string) => string,
  ): Promise<void> {
    const { host, port } = this.#nodes[side];
    const connection = await Deno.connect({ hostname: host, port });
    const frames = new Frames(clean);
    const read = async () => {
      try {
        for await (const chunk of connection.readable) frames.write(chunk);
      } catch {
        // It was closed.
      }
    };
    const write = async (...command: string[]) => {
      await connection.write(encodeCommand(command));
    };
    const client = { side, protocol, frames, connection, write, end: read() };
    this.#clients.push(client);
    if (protocol === 3) await write("HELLO", "3");
    await write("PSUBSCRIBE", pattern(tag));
    await this.#inStep(client);
  }

  /** Waits until all has come that was sent before. */
  async #inStep({ write, frames: { texts } }: Client): Promise<void> {
    await write("PING");
    await until("the PING is answered", () => texts.at(-1) === "PONG");
    texts.pop();
  }

  async #command(side: Side, ...command: (string | number)[]): Promise<void> {
    await this.#nodes[side].command(...command);
  }

  async make(side: Side, { key, type, ttl }: Made, isAsking = false): Promise<void> {
    if (isAsking) await this.#command(side, "ASKING");
    const value = type === "hash" ? ["field", "value"] : ["value"];
    await this.#command(side, ...COMMANDS[type], key, ...value);
    if (ttl !== undefined) await this.#command(side, "PEXPIRE", key, ttl);
    await this.#replicated();
  }

  async del(side: Side, key: string, isAsking = false): Promise<void> {
    if (isAsking) await this.#command(side, "ASKING");
    await this.#command(side, "DEL", key);
    await this.#replicated();
  }

  /** Waits until replicas have repeated everything. */
  async #replicated(): Promise<void> {
    const { source, replica } = this.#nodes;
    for (const node of [source, replica]) {
      if ((await node.command("ROLE") as string[])[0] === "master") {
        await node.command("WAIT", 1, 5_000);
      }
    }
  }

  async importing(): Promise<void> {
    await this.#command("target", "CLUSTER", "SETSLOT", this.#slot, "IMPORTING", this.#ids.source);
  }

  async migrating(): Promise<void> {
    await this.#command("source", "CLUSTER", "SETSLOT", this.#slot, "MIGRATING", this.#ids.target);
    await this.#replicated();
  }

  async migrate(keys: readonly string[]): Promise<void> {
    const { host, port } = this.#nodes.target;
    await this.#command("source", "MIGRATE", host, port, "", 0, 5_000, "REPLACE", "KEYS", ...keys);
    await this.#replicated();
  }

  async setNode(side: Side): Promise<void> {
    await this.#command(side, "CLUSTER", "SETSLOT", this.#slot, "NODE", this.#ids.target);
    if (side === "source") await this.heard();
  }

  async stable(side: Side): Promise<void> {
    await this.#command(side, "CLUSTER", "SETSLOT", this.#slot, "STABLE");
  }

  async heard(): Promise<void> {
    for (const side of SIDES) {
      await until(`the ${side} knows that the slot has moved`, async () => {
        const nodes = String(await this.#nodes[side].command("CLUSTER", "NODES"));
        const line = nodes.split("\n").find((text) => text.startsWith(this.#ids.target))!;
        return line.includes(` ${this.#slot}`);
      });
    }
    await this.#replicated();
  }

  async atomically(): Promise<void> {
    if (this.#profile.software === "redis") {
      await this.#command("target", "CLUSTER", "MIGRATION", "IMPORT", this.#slot, this.#slot);
    } else {
      const range = ["SLOTSRANGE", this.#slot, this.#slot, "NODE", this.#ids.target];
      await this.#command("source", "CLUSTER", "MIGRATESLOTS", ...range);
    }
    await this.heard();
    for (const side of ["source", "target"] as const) {
      await until(`the ${side} says that it is over`, async () => {
        const { command, words } = this.#profile.atomic!;
        const rows = await this.#nodes[side].command("CLUSTER", command, ...words) as unknown[][];
        return /^(?:completed|success)$/.test(String(rows[0]![rows[0]!.indexOf("state") + 1]));
      });
    }
  }

  async failOver(): Promise<void> {
    const { source, replica } = this.#nodes;
    await this.#cluster.failOver(replica);
    await until("the former primary follows", async () => {
      const [role, , , link] = await source.command("ROLE") as string[];
      return role === "slave" && link === "connected";
    });
    await until("the new primary sees that", async () => {
      const [, , replicas] = await replica.command("ROLE") as [string, number, unknown[]];
      return replicas.length === 1;
    });
  }

  async allowFences(side: Side, isAllowed: boolean): Promise<void> {
    const rule = `${isAllowed ? "+" : "-"}ssubscribe`;
    await this.#command(side, "ACL", "SETUSER", "default", rule);
  }

  async send(side: Side, ...command: string[]): Promise<void> {
    for (const client of this.#clients) {
      if (client.side !== side) continue;
      await client.write(...command);
      await this.#inStep(client);
    }
  }

  async frames(side: Side, protocol: Protocol): Promise<string[]> {
    const client = this.#clients.find((one) => one.side === side && one.protocol === protocol)!;
    await this.#inStep(client);
    return client.frames.texts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { connection } of this.#clients) connection.close();
    await Promise.all(this.#clients.map(({ end }) => end));
  }
}
