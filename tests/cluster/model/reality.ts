/**
 * The same steps on a real cluster and on the model of it. What each node sends in each protocol to
 * a client that has subscribed to everything and set a fence, and what it answers on that connection,
 * has to be the same.
 */
import { assertEquals } from "@std/assert";
import { Random } from "../../random.ts";
import { type ServerBinary, startCluster } from "../../servers/mod.ts";
import { VirtualClock } from "./clock.ts";
import { ModelCluster } from "./cluster.ts";
import type { Profile } from "./profiles.ts";
import {
  ModelStage,
  type Protocol,
  PROTOCOLS,
  RealStage,
  type Side,
  SIDES,
  type Stage,
} from "./stages.ts";

/** What happens to a slot, all keys of which have a tag. */
type Steps = (stage: Stage, tag: string, profile: Profile) => Promise<void>;

/** What is to be the same, each in a slot of its own. */
const STEPS: Record<string, Steps> = {
  async "a slot migrates key by key"(stage, tag) {
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.make("source", { key: `${tag}b`, type: "hash", ttl: 60_000 });
    await stage.make("source", { key: `${tag}c`, type: "set" });
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.importing();
    await stage.send("target", "SSUBSCRIBE", tag);
    await stage.migrating();
    for (const side of SIDES) await stage.send(side, "CLUSTER", "NODES");
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    await stage.migrate([`${tag}a`]);
    await stage.make("target", { key: `${tag}d`, type: "list" }, true);
    await stage.make("target", { key: `${tag}a`, type: "string" }, true);
    await stage.del("target", `${tag}d`, true);
    await stage.del("source", `${tag}c`);
    await stage.migrate([`${tag}b`]);
    await stage.send("target", "SSUBSCRIBE", tag);
    await stage.setNode("target");
    await stage.send("target", "SSUBSCRIBE", tag);
    await stage.make("target", { key: `${tag}e`, type: "string" });
    await stage.setNode("source");
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    for (const side of SIDES) await stage.send(side, "CLUSTER", "NODES");
  },
  async "a migration is given up after clients were sent on"(stage, tag) {
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.send("source", "SSUBSCRIBE", tag);
    await stage.importing();
    await stage.migrating();
    await stage.migrate([`${tag}a`]);
    await stage.make("target", { key: `${tag}b`, type: "string" }, true);
    await stage.stable("source");
    await stage.stable("target");
    await stage.send("target", "SSUBSCRIBE", tag);
    await stage.make("source", { key: `${tag}b`, type: "string" });
    await stage.make("source", { key: `${tag}a`, type: "hash" });
    await stage.importing();
    await stage.migrating();
    await stage.migrate([`${tag}a`]);
    await stage.migrate([`${tag}b`]);
    await stage.stable("source");
    await stage.stable("target");
  },
  async "a slot is taken from a node that has keys of it"(stage, tag) {
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.make("source", { key: `${tag}b`, type: "hash" });
    await stage.importing();
    await stage.setNode("target");
    await stage.heard();
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    await stage.make("target", { key: `${tag}a`, type: "string" });
  },
  async "fences are refused"(stage, tag) {
    await stage.send("source", "SSUBSCRIBE", tag);
    await stage.send("source", "SSUBSCRIBE", tag);
    await stage.send("source", "SSUBSCRIBE", `${tag}a`, "{another}");
    await stage.allowFences("source", false);
    await stage.send("source", "SSUBSCRIBE", `${tag}a`);
    await stage.allowFences("source", true);
    await stage.make("source", { key: `${tag}a`, type: "string" });
  },
};

const ATOMIC_STEPS: typeof STEPS = {
  async "a slot migrates atomically"(stage, tag, profile) {
    const { command, words } = profile.atomic!;
    const list = async () => {
      for (const side of ["source", "target"] as const) {
        await stage.send(side, "CLUSTER", command, ...words);
      }
    };
    await list();
    await stage.send("source", "SSUBSCRIBE", tag);
    await stage.send("replica", "SSUBSCRIBE", tag);
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.make("source", { key: `${tag}b`, type: "hash", ttl: 60_000 });
    await stage.make("source", { key: `${tag}d`, type: "list" });
    await stage.make("source", { key: `${tag}e`, type: "set" });
    await stage.make("source", { key: `${tag}f`, type: "string", ttl: 60_000 });
    await stage.send("target", "SSUBSCRIBE", tag);
    await stage.atomically();
    for (const side of SIDES) await stage.send(side, "SSUBSCRIBE", tag);
    await stage.make("target", { key: `${tag}a`, type: "string" });
    await stage.make("target", { key: `${tag}c`, type: "string" });
    await list();
  },
};

/** The last, because it exchanges two nodes. */
const LAST_STEPS: typeof STEPS = {
  async "a replica takes over"(stage, tag) {
    for (const side of ["source", "replica"] as const) {
      await stage.send(side, "SSUBSCRIBE", tag);
      await stage.send(side, "ROLE");
    }
    await stage.make("source", { key: `${tag}a`, type: "string" });
    await stage.failOver();
    for (const side of ["source", "replica"] as const) {
      await stage.send(side, "ROLE");
      await stage.send(side, "SSUBSCRIBE", tag);
    }
    await stage.make("replica", { key: `${tag}b`, type: "string" });
  },
};

/** Plays all steps on a server and on its model. */
export async function compareWithReality(profile: Profile, binary?: ServerBinary): Promise<void> {
  const atomic = profile.atomic === null ? {} : ATOMIC_STEPS;
  await using cluster = await startCluster({
    ...(binary === undefined ? {} : { binary }),
    replicas: 1,
    config: { "notify-keyspace-events": profile.hasOverwritten ? "KEAno" : "KEAn" },
  });
  const all = Object.entries({ ...STEPS, ...atomic, ...LAST_STEPS });
  for (const [index, [name, play]] of all.entries()) {
    // A tag of the model whose slot is the first node's.
    const tag = `{${index}}`;
    const expected = await playOnModel(profile, play, tag);
    await using stage = await RealStage.open(profile, cluster, tag);
    await play(stage, tag, profile);
    for (const [what, model] of expected) {
      const [side, protocol] = what.split(" in RESP") as [Side, string];
      const actual = await stage.frames(side, Number(protocol) as Protocol);
      // The keys of a slot are copied in any order; and a replica learns who owns a slot, and which
      // keys are deleted, from two connections.
      const isSorted = side === "replica" || name in ATOMIC_STEPS && side === "target";
      const inOrder = (texts: readonly string[]) => (isSorted ? texts.toSorted() : texts);
      assertEquals(inOrder(actual), inOrder(model), `${profile.name}, ${name}, ${what}`);
    }
  }
}

/** What the model sends, by side and protocol. */
async function playOnModel(
  profile: Profile,
  play: Steps,
  tag: string,
): Promise<Map<string, string[]>> {
  using clock = new VirtualClock(1);
  const options = { profile, emitsNew: true, latencies: [0.1] };
  const cluster = new ModelCluster(clock, new Random(1), options);
  const stage = await ModelStage.open(clock, cluster, tag);
  await play(stage, tag, profile);
  const sent = new Map<string, string[]>();
  for (const side of SIDES) {
    for (const protocol of PROTOCOLS) {
      sent.set(`${side} in RESP${protocol}`, await stage.frames(side, protocol));
    }
  }
  return sent;
}
