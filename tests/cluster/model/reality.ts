/**
 * The same steps on a real cluster and on the model of it. What both nodes of a migration send to
 * whoever has subscribed to everything, and set a fence, has to be the same.
 */
import { assertEquals } from "@std/assert";
import { hashSlot } from "../../../mod.ts";
import { Decoder, encodeCommand, RespMap, ServerError } from "../../../resp/mod.ts";
import { Random } from "../../random.ts";
import { type ServerBinary, startCluster, type TestServer, until } from "../../servers/mod.ts";
import { VirtualClock } from "./clock.ts";
import { ModelCluster } from "./cluster.ts";
import { migrateAtomically, sendKeys, setNode, stabilize } from "./migrations.ts";
import type { ModelNode, Value } from "./node.ts";
import { changeOf } from "./operations.ts";
import type { Profile } from "./profiles.ts";

/** All of it in one slot, of the tag that the model's first slot has. */
const TAG = "{0}";
const SLOT = hashSlot(TAG);

type Side = "source" | "target";

/** Commands that create a key of a type, and how long it lives, in ms. */
interface Made {
  readonly key: string;
  readonly type: Value["type"];
  readonly ttl?: number;
}

/** A source and a target, real or not. */
interface Stage {
  make(side: Side, made: Made, isAsking?: boolean): Promise<void>;
  del(side: Side, key: string, isAsking?: boolean): Promise<void>;
  importing(): Promise<void>;
  migrating(): Promise<void>;
  migrate(keys: readonly string[]): Promise<void>;
  setNode(side: Side): Promise<void>;
  stable(side: Side): Promise<void>;
  atomically(): Promise<void>;
  /** Sends `SSUBSCRIBE` on the connection of the notifications. */
  fence(side: Side): Promise<void>;
  /** What that connection has received, once everything has. */
  frames(side: Side): Promise<string[]>;
}

/** What is to be the same, step by step. */
const STEPS: Record<string, (stage: Stage) => Promise<void>> = {
  async "a slot migrates key by key"(stage) {
    await stage.fence("source");
    await stage.make("source", { key: `${TAG}a`, type: "string" });
    await stage.make("source", { key: `${TAG}b`, type: "hash", ttl: 60_000 });
    await stage.make("source", { key: `${TAG}c`, type: "set" });
    await stage.make("source", { key: `${TAG}a`, type: "string" });
    await stage.importing();
    await stage.fence("target");
    await stage.migrating();
    await stage.migrate([`${TAG}a`]);
    await stage.make("target", { key: `${TAG}d`, type: "list" }, true);
    await stage.make("target", { key: `${TAG}a`, type: "string" }, true);
    await stage.del("target", `${TAG}d`, true);
    await stage.del("source", `${TAG}c`);
    await stage.migrate([`${TAG}b`]);
    await stage.fence("target");
    await stage.setNode("target");
    await stage.fence("target");
    await stage.make("target", { key: `${TAG}e`, type: "string" });
    await stage.setNode("source");
    await stage.fence("source");
  },
  async "a migration is given up after clients were sent on"(stage) {
    await stage.make("source", { key: `${TAG}a`, type: "string" });
    await stage.fence("source");
    await stage.importing();
    await stage.migrating();
    await stage.migrate([`${TAG}a`]);
    await stage.make("target", { key: `${TAG}b`, type: "string" }, true);
    await stage.stable("source");
    await stage.stable("target");
    await stage.fence("target");
    await stage.make("source", { key: `${TAG}b`, type: "string" });
    await stage.make("source", { key: `${TAG}a`, type: "hash" });
    await stage.importing();
    await stage.migrating();
    await stage.migrate([`${TAG}a`]);
    await stage.migrate([`${TAG}b`]);
  },
};

const ATOMIC_STEPS: typeof STEPS = {
  async "a slot migrates atomically"(stage) {
    await stage.fence("source");
    await stage.make("source", { key: `${TAG}a`, type: "string" });
    await stage.make("source", { key: `${TAG}b`, type: "hash", ttl: 60_000 });
    await stage.make("source", { key: `${TAG}d`, type: "list" });
    await stage.make("source", { key: `${TAG}e`, type: "set" });
    await stage.make("source", { key: `${TAG}f`, type: "string", ttl: 60_000 });
    await stage.fence("target");
    await stage.atomically();
    await stage.fence("source");
    await stage.fence("target");
    await stage.make("target", { key: `${TAG}a`, type: "string" });
    await stage.make("target", { key: `${TAG}c`, type: "string" });
  },
};

/** Plays all steps on a server and on its model. */
export async function compareWithReality(profile: Profile, binary?: ServerBinary): Promise<void> {
  const steps = { ...STEPS, ...(profile.atomic === null ? {} : ATOMIC_STEPS) };
  for (const [name, play] of Object.entries(steps)) {
    const expected = await playOnModel(profile, play);
    await using cluster = await startCluster({
      ...(binary === undefined ? {} : { binary }),
      config: { "notify-keyspace-events": profile.hasOverwritten ? "KEAno" : "KEAn" },
    });
    const source = await cluster.ownerOf(TAG);
    const target = cluster.servers.find((server) => server !== source)!;
    await using stage = await RealStage.open(profile, source, target);
    await play(stage);
    for (const side of ["source", "target"] as const) {
      const [actual, model] = [await stage.frames(side), expected[side]];
      // The keys of a slot are copied in any order.
      const isSorted = name in ATOMIC_STEPS && side === "target";
      const inOrder = (texts: string[]) => (isSorted ? texts.toSorted() : texts);
      assertEquals(inOrder(actual), inOrder(model), `${profile.name}, ${name}, ${side}`);
    }
  }
}

const PATTERN = "__keyspace@0__:*";

/** Reads what a node sends, in RESP3. */
class Frames {
  readonly texts: string[] = [];
  readonly #decoder = new Decoder({
    reply: (reply) => {
      if (reply instanceof ServerError) this.texts.push(reply.message.split(" ")[0]!);
      else if (!(reply instanceof RespMap)) this.texts.push(String(reply));
    },
    push: (items) => {
      const [kind, ...rest] = items.map(String);
      if (kind === "pmessage") this.texts.push(`${rest[1]!.split("__:")[1]} ${rest[2]}`);
      else if (kind !== "psubscribe") this.texts.push(kind!);
    },
  }, { strings: "text" });

  write(chunk: Uint8Array): void {
    this.#decoder.write(chunk);
  }
}

class ModelStage implements Stage {
  readonly #cluster: ModelCluster;
  readonly #clock: VirtualClock;
  readonly #nodes: Record<Side, ModelNode>;
  readonly #frames: Record<Side, Frames> = { source: new Frames(), target: new Frames() };
  readonly #send: Partial<Record<Side, (...command: string[]) => void>> = {};

  constructor(clock: VirtualClock, cluster: ModelCluster) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.#nodes = { source: cluster.nodes[0]!, target: cluster.nodes[1]! };
  }

  async watch(): Promise<void> {
    for (const side of ["source", "target"] as const) {
      const address = { hostname: "127.0.0.1", port: this.#nodes[side].port };
      const { signal } = new AbortController();
      this.#cluster.dial(address, { signal }).then(async (transport) => {
        this.#send[side] = (...command) => transport.write(encodeCommand(command));
        for (let chunk; (chunk = await transport.read()) !== null;) this.#frames[side].write(chunk);
      });
      await this.#clock.run(10);
      this.#send[side]!("HELLO", "3");
      this.#send[side]!("PSUBSCRIBE", PATTERN);
    }
    await this.#clock.run(10);
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
    this.#nodes.target.importing.set(SLOT, this.#nodes.source);
    await this.#clock.run(10);
  }

  async migrating(): Promise<void> {
    this.#nodes.source.migrating.set(SLOT, this.#nodes.target);
    await this.#clock.run(10);
  }

  async migrate(keys: readonly string[]): Promise<void> {
    this.#cluster.spawn(sendKeys(this.#nodes.source, this.#nodes.target, keys));
    await this.#clock.run(10);
  }

  async setNode(side: Side): Promise<void> {
    setNode(this.#nodes[side], SLOT, this.#nodes.target);
    await this.#clock.run(100);
  }

  async stable(side: Side): Promise<void> {
    stabilize(SLOT, this.#nodes[side]);
    await this.#clock.run(10);
  }

  async atomically(): Promise<void> {
    this.#cluster.beginMove(SLOT);
    this.#cluster.spawn(migrateAtomically(this.#cluster, [SLOT], this.#nodes.target));
    await this.#clock.run(1_000);
  }

  async fence(side: Side): Promise<void> {
    this.#send[side]!("SSUBSCRIBE", TAG);
    await this.#clock.run(10);
  }

  async frames(side: Side): Promise<string[]> {
    await this.#clock.run(100);
    return this.#frames[side].texts;
  }
}

async function playOnModel(
  profile: Profile,
  play: (stage: Stage) => Promise<void>,
): Promise<Record<Side, string[]>> {
  using clock = new VirtualClock(1);
  const options = { profile, emitsNew: true, latencies: [0.1] };
  const stage = new ModelStage(clock, new ModelCluster(clock, new Random(1), options));
  await stage.watch();
  await play(stage);
  return { source: await stage.frames("source"), target: await stage.frames("target") };
}

const COMMANDS: Record<Value["type"], readonly string[]> = {
  string: ["SET"],
  hash: ["HSET"],
  list: ["RPUSH"],
  set: ["SADD"],
};

class RealStage implements Stage, AsyncDisposable {
  readonly #profile: Profile;
  readonly #nodes: Record<Side, TestServer>;
  readonly #ids: Record<Side, string>;
  readonly #frames: Record<Side, Frames> = { source: new Frames(), target: new Frames() };
  readonly #connections: Record<Side, Deno.Conn>;
  readonly #reading: Promise<void>[];

  private constructor(
    profile: Profile,
    nodes: Record<Side, TestServer>,
    ids: Record<Side, string>,
    connections: Record<Side, Deno.Conn>,
  ) {
    this.#profile = profile;
    this.#nodes = nodes;
    this.#ids = ids;
    this.#connections = connections;
    this.#reading = (["source", "target"] as const).map((side) => this.#read(side));
  }

  static async open(profile: Profile, source: TestServer, target: TestServer): Promise<RealStage> {
    const connect = ({ host, port }: TestServer) => Deno.connect({ hostname: host, port });
    const id = async (server: TestServer) => String(await server.command("CLUSTER", "MYID"));
    const stage = new RealStage(
      profile,
      { source, target },
      { source: await id(source), target: await id(target) },
      { source: await connect(source), target: await connect(target) },
    );
    for (const side of ["source", "target"] as const) {
      await stage.#send(side, "HELLO", "3");
      await stage.#send(side, "PSUBSCRIBE", PATTERN);
      await stage.#inStep(side);
    }
    return stage;
  }

  async #read(side: Side): Promise<void> {
    try {
      for await (const chunk of this.#connections[side].readable) this.#frames[side].write(chunk);
    } catch {
      // It was closed.
    }
  }

  async #send(side: Side, ...command: string[]): Promise<void> {
    await this.#connections[side].write(encodeCommand(command));
  }

  /** Waits until all has come that was sent before. */
  async #inStep(side: Side): Promise<void> {
    const { texts } = this.#frames[side];
    await this.#send(side, "PING");
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
  }

  async del(side: Side, key: string, isAsking = false): Promise<void> {
    if (isAsking) await this.#command(side, "ASKING");
    await this.#command(side, "DEL", key);
  }

  async importing(): Promise<void> {
    await this.#command("target", "CLUSTER", "SETSLOT", SLOT, "IMPORTING", this.#ids.source);
  }

  async migrating(): Promise<void> {
    await this.#command("source", "CLUSTER", "SETSLOT", SLOT, "MIGRATING", this.#ids.target);
  }

  async migrate(keys: readonly string[]): Promise<void> {
    const { host, port } = this.#nodes.target;
    await this.#command("source", "MIGRATE", host, port, "", 0, 5_000, "REPLACE", "KEYS", ...keys);
  }

  async setNode(side: Side): Promise<void> {
    await this.#command(side, "CLUSTER", "SETSLOT", SLOT, "NODE", this.#ids.target);
  }

  async stable(side: Side): Promise<void> {
    await this.#command(side, "CLUSTER", "SETSLOT", SLOT, "STABLE");
  }

  async atomically(): Promise<void> {
    if (this.#profile.software === "redis") {
      await this.#command("target", "CLUSTER", "MIGRATION", "IMPORT", SLOT, SLOT);
    } else {
      const range = ["SLOTSRANGE", SLOT, SLOT, "NODE", this.#ids.target];
      await this.#command("source", "CLUSTER", "MIGRATESLOTS", ...range);
    }
    for (const side of ["source", "target"] as const) {
      await until(`the ${side} knows that the slot has moved`, async () => {
        const nodes = String(await this.#nodes[side].command("CLUSTER", "NODES"));
        const line = nodes.split("\n").find((text) => text.startsWith(this.#ids.target))!;
        return line.includes(` ${SLOT}`);
      });
    }
  }

  async fence(side: Side): Promise<void> {
    await this.#send(side, "SSUBSCRIBE", TAG);
    await this.#inStep(side);
  }

  async frames(side: Side): Promise<string[]> {
    await this.#inStep(side);
    return this.#frames[side].texts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of Object.values(this.#connections)) connection.close();
    await Promise.all(this.#reading);
  }
}
