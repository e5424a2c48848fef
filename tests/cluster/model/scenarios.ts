/**
 * What may happen to slots and nodes, one thing at a time and the shortest way in which it goes wrong.
 *
 * @module
 */
import { Model } from "../model.ts";
import { failOver, replicaOf } from "./failovers.ts";
import { migrateAtomically, migrateByKey, type MigrationOptions } from "./migrations.ts";
import type { ModelNode } from "./node.ts";
import { ATOMIC_PROFILES, EVERY_PROFILE, type Profile } from "./profiles.ts";
import type { Fault, Report } from "./report.ts";

/** A model of which one thing is tried. */
class Scene {
  readonly slot: number;
  readonly a: ModelNode;
  readonly b: ModelNode;
  readonly c: ModelNode;

  constructor(readonly model: Model) {
    const { cluster: { slots, nodes } } = model;
    this.slot = slots[0]!;
    [this.a, this.b, this.c] = nodes as [ModelNode, ModelNode, ModelNode, ...ModelNode[]];
  }

  /** Clients create keys, one for each ms. */
  async write(count: number, slot: number = this.slot): Promise<void> {
    for (let n = 0; n < count; n++) {
      this.model.operations.set(this.model.cluster.newKey(slot));
      await this.model.run(1);
    }
  }

  /** Creates keys before the client watches, or without waiting for each. */
  fill(slots: readonly number[], count: number): void {
    for (const slot of slots) {
      for (let n = 0; n < count; n++) this.model.operations.set(this.model.cluster.newKey(slot));
    }
  }

  /** Begins to migrate a slot key by key, and waits until that is over. */
  async migrate(
    target: ModelNode,
    options: MigrationOptions = {},
    slot: number = this.slot,
  ): Promise<void> {
    let isOver = false;
    const onEnd = () => isOver = true;
    const { model } = this;
    model.cluster.spawn(
      migrateByKey(model.cluster, slot, target, { pace: 0.2, ...options, onEnd }),
    );
    await model.run(60_000, () => isOver);
  }
}

interface SceneOptions {
  readonly profiles?: readonly Profile[];
  /** The latency of each node, in ms. */
  readonly latencies?: readonly number[];
  /** How long the client has been watching before, in ms: it has asked for the topology twice. */
  readonly watching?: number;
  /** Another seed than 1, where only some show what the library still does wrong. */
  readonly seed?: number;
  /** The faults that the library still has here. */
  readonly unreached?: readonly Fault[];
}

type Play = (scene: Scene) => Promise<void>;

/** Something that happens. */
export interface Scenario {
  readonly name: string;
  readonly profiles: readonly Profile[];
  /** The faults that the library still has here. */
  readonly unreached: readonly Fault[];
  /** Plays it, and compares what was delivered with what happened. */
  play(profile: Profile, protocol: 2 | 3): Promise<Report>;
}

export const SCENARIOS: Scenario[] = [];

function scenario(name: string, options: SceneOptions, play: Play): void {
  const { profiles = EVERY_PROFILE, latencies = [0.1], watching = 12_000, seed = 1 } = options;
  const { unreached = [] } = options;
  SCENARIOS.push({
    name,
    profiles,
    unreached,
    async play(profile, protocol) {
      await using model = new Model({ seed, profile, protocol, latencies });
      const scene = new Scene(model);
      scene.fill(model.cluster.slots, 3);
      await model.run(10);
      await model.watch();
      await model.run(watching - 1_000);
      // Of a node that was idle a gap begins earlier.
      for (let n = 0; n < 4; n++) {
        scene.fill(model.cluster.slots, 1);
        await model.run(250);
      }
      await play(scene);
      return await model.finish();
    },
  });
}

scenario("delivers everything once while nothing migrates", {}, async (scene) => {
  await scene.write(50);
  scene.model.pause(500);
  await scene.write(50);
});

for (const pause of [3_000, 30_000]) {
  scenario(
    `delivers the writes of a slot's short stay while the client is stopped for ${pause} ms`,
    {},
    async (scene) => {
      scene.model.pause(pause);
      await scene.migrate(scene.b);
      await scene.write(50);
      await scene.migrate(scene.c);
      await scene.write(5);
    },
  );
}

scenario("decides a deletion that waits while the client is stopped for long", {
  latencies: [0.1, 30, 0.1],
}, async ({ model, slot }) => {
  const key = model.cluster.newKey(slot);
  model.operations.set(key);
  await model.run(100);
  model.operations.del(key);
  await model.run(10);
  model.pause(20_000);
  await model.run(30_000);
});

scenario("delivers the writes of a slot's short stay on a node that is 30 ms away", {
  latencies: [0.1, 30, 0.1],
}, async (scene) => {
  await scene.migrate(scene.b);
  await scene.write(20);
  await scene.migrate(scene.c);
  await scene.write(5);
});

scenario(
  "delivers the writes of a slot that returns at once",
  { latencies: [0.1, 30, 0.1] },
  async (scene) => {
    await scene.migrate(scene.b);
    await scene.write(20);
    await scene.migrate(scene.a);
    await scene.write(5);
  },
);

scenario("delivers writes that ASK sent to the target of a migration which is aborted", {
  latencies: [0.1, 30, 0.1],
}, async (scene) => {
  const { model, slot, b } = scene;
  const { cluster } = model;
  scene.fill([slot], 12);
  await model.run(10);
  // New keys go to the target at once, and the abort comes before its first answer.
  cluster.spawn(migrateByKey(cluster, slot, b, { pace: 5, batch: 4, abortAfter: 2 }));
  await scene.write(40);
});

scenario(
  "shows no artefact of a migration by key that is brought back and started again",
  {},
  async (scene) => {
    const { b } = scene;
    await scene.migrate(b, { batch: 1, abortAfter: 2, bringsBack: true });
    await scene.model.run(1_000);
    await scene.migrate(b, { batch: 1 });
  },
);

scenario(
  "shows no artefact of a slot that migrates to a node which has just joined",
  {},
  async (scene) => {
    const node = scene.model.cluster.add();
    await scene.model.run(1_000);
    await scene.migrate(node);
    await scene.write(20);
  },
);

scenario(
  "reports a short gap of a slot that a node is given as soon as it has joined",
  {},
  async (scene) => {
    await scene.write(1_200, scene.model.cluster.slots[1]);
    await scene.migrate(scene.model.cluster.add());
    await scene.write(200);
  },
);

for (const side of ["source", "target"] as const) {
  scenario(`loses and hides nothing when the ${side} of a migration fails over`, {
    latencies: [0.1, 5, 0.1],
  }, async (scene) => {
    const { model, a, b, slot } = scene;
    const { cluster } = model;
    scene.fill([slot], 30);
    await model.run(10);
    cluster.spawn(migrateByKey(cluster, slot, b, { pace: 5, batch: 1 }));
    await scene.write(50);
    cluster.spawn(failOver(cluster, side === "source" ? a : b, "takeover"));
    await scene.write(100);
    await model.run(3_000);
    await scene.migrate(cluster.ownerOf(cluster.slots.at(-1)!));
  });
}

scenario("reports a gap as long as the outage when a primary is killed of which little came", {
  watching: 100,
}, async ({ model, b }) => {
  const { cluster, operations } = model;
  await model.run(1_000);
  for (let n = 0; n < 5_000; n++) {
    if (n === 20) cluster.spawn(failOver(cluster, b, "kill"));
    operations.set(cluster.newKey(cluster.slots[n % cluster.slots.length]!));
    await model.run(1);
  }
});

scenario("shows no artefact of an ordinary reshard of many slots by key", {
  latencies: [0.1, 0.5, 2],
}, async (scene) => {
  const { model, a, b, c } = scene;
  const { cluster } = model;
  const owned = cluster.slots.filter((slot) => cluster.ownerOf(slot) === a);
  for (const target of [b, c, a]) {
    for (const slot of owned) await scene.migrate(target, { pace: 0.1, batch: 1 }, slot);
  }
});

scenario("shows no artefact of a reshard to a node that is 200 ms away", {
  latencies: [0.1, 200, 0.1],
}, async (scene) => {
  await scene.migrate(scene.b, { pace: 20 });
  await scene.write(10);
});

scenario(
  "shows no artefact of slots that migrate atomically",
  { profiles: ATOMIC_PROFILES },
  async ({ model, a, b }) => {
    const { cluster, operations, random } = model;
    const owned = cluster.slots.filter((slot) => cluster.ownerOf(slot) === a);
    for (const target of [b, a]) {
      let isOver = false;
      const onEnd = () => isOver = true;
      cluster.spawn(migrateAtomically(cluster, owned, target, { pace: 1, batch: 3, onEnd }));
      while (!isOver) {
        operations.set(cluster.newKey(random.pick(owned)));
        await model.run(0.5);
      }
    }
  },
);

scenario("shows no artefact of an atomic migration that is aborted and started again", {
  profiles: ATOMIC_PROFILES,
}, async ({ model, slot, b }) => {
  const { cluster } = model;
  for (const abortAfter of [1, Infinity]) {
    let isOver = false;
    const onEnd = () => isOver = true;
    cluster.spawn(migrateAtomically(cluster, [slot], b, { abortAfter, batch: 1, onEnd }));
    await model.run(60_000, () => isOver);
    await model.run(500);
  }
});

scenario("reports no gap while a primary gives all its slots away to nodes that are heard", {
  profiles: ATOMIC_PROFILES,
  latencies: [0.1, 0.1, 200],
}, async ({ model, a, b, c }) => {
  const { cluster } = model;
  const [first, ...rest] = cluster.slots.filter((slot) => cluster.ownerOf(slot) === a);
  for (const [slots, target] of [[[first!], c], [rest, b]] as const) {
    let isOver = false;
    const onEnd = () => isOver = true;
    cluster.spawn(migrateAtomically(cluster, slots, target, { onEnd }));
    await model.run(60_000, () => isOver);
  }
});

scenario("delivers nothing of a demoted primary after CLUSTER FAILOVER", {}, async (scene) => {
  const { model, a } = scene;
  model.cluster.spawn(failOver(model.cluster, a, "orderly"));
  await scene.write(100);
});

scenario("hides nothing of a node that was a replica for less than a round trip", {
  profiles: ATOMIC_PROFILES,
  latencies: [0.1, 0.1, 200],
}, async (scene) => {
  const { model, slot, b, c } = scene;
  const { cluster, operations } = model;
  const ofNode = cluster.slots.at(-1)!;
  // A deletion has the client ask for a report, which the node gives while it is a replica.
  operations.del(c.keysOf(ofNode)[0]!);
  await model.run(350);
  cluster.spawn(failOver(cluster, c, "orderly"));
  await model.run(150);
  cluster.spawn(failOver(cluster, cluster.ownerOf(ofNode), "orderly"));
  await model.run(50);
  cluster.spawn(migrateAtomically(cluster, [slot], c));
  await scene.write(100);
  // A gap of the node itself would cover what it emitted.
  await scene.migrate(b);
  await scene.write(10);
});

scenario("delivers what expires during a failover there and back", {}, async (scene) => {
  const { model, a, slot } = scene;
  const { cluster, operations } = model;
  const expiring = async () => {
    for (let n = 0; n < 20; n++) {
      operations.set(cluster.newKey(slot), 20);
      await model.run(100);
    }
  };
  cluster.spawn(failOver(cluster, a, "orderly"));
  await expiring();
  cluster.spawn(failOver(cluster, cluster.ownerOf(slot), "orderly"));
  await expiring();
});

scenario("reports a gap from the last proof if the topology was asked for since", {
  watching: 8_000,
}, async (scene) => {
  const { model, a } = scene;
  const { cluster } = model;
  // The client is cut off from the node; the others are not.
  cluster.stall(a, 60_000);
  await scene.write(4_000);
  cluster.spawn(failOver(cluster, a, "takeover"));
  await scene.write(1_000);
  await model.run(20_000);
});

scenario(
  "reports one gap for a node that is cut off from the client and then killed",
  {},
  async (scene) => {
    const { model, a } = scene;
    const { cluster } = model;
    cluster.stall(a, 60_000);
    await scene.write(1_000);
    cluster.spawn(failOver(cluster, a, "kill"));
    await scene.write(8_000);
  },
);

scenario(
  "reports a gap for a slot that left an unreachable node before that was noticed",
  {},
  async (scene) => {
    const { model, a, b } = scene;
    const { cluster } = model;
    cluster.stall(a, 60_000);
    await scene.write(200);
    await scene.migrate(b);
    await scene.write(200);
    await model.run(20_000);
  },
);

scenario(
  "reports a gap while a node's notify-keyspace-events are off for 3 s",
  {},
  async (scene) => {
    const { model, a } = scene;
    await scene.write(3_000);
    model.cluster.mute(a, 3_000);
    await scene.write(3_500);
  },
);

scenario(
  "reports a gap for a slot that leaves a new primary before that is heard",
  {},
  async (scene) => {
    const { model, a, c, slot } = scene;
    const { cluster } = model;
    const heir = replicaOf(cluster, a)!;
    cluster.stall(heir, 4_000);
    cluster.spawn(failOver(cluster, a, "orderly"));
    await model.run(500);
    await scene.write(50);
    await scene.migrate(c, {}, slot);
    await scene.write(50);
  },
);

scenario(
  "reports a gap for what clients wrote at the target of a migration that ended before it was heard",
  {},
  async (scene) => {
    const { model, b, slot } = scene;
    const { cluster } = model;
    scene.fill([slot], 10);
    await model.run(10);
    cluster.stall(b, 6_000);
    for (const session of [...b.sessions]) session.end("end");
    cluster.spawn(migrateByKey(cluster, slot, b, { pace: 20, batch: 1 }));
    await scene.write(400);
  },
);

scenario("reports no gap from before it connected", {
  watching: 1_000,
}, async (scene) => {
  const { model, a } = scene;
  model.cluster.spawn(failOver(model.cluster, a, "orderly"));
  await scene.write(10);
});

scenario(
  "delivers nothing twice when a primary that hung resumes as a replica",
  {},
  async (scene) => {
    const { model, a } = scene;
    model.cluster.spawn(failOver(model.cluster, a, "hang"));
    await scene.write(6_000);
  },
);

scenario(
  "reports a gap for what a primary executes that was replaced while it hung for long",
  {},
  async (scene) => {
    const { model, a } = scene;
    await scene.write(300);
    model.cluster.spawn(failOver(model.cluster, a, "hang", 6_000));
    await scene.write(3_000);
    await model.run(10_000);
  },
);

scenario(
  "delivers what expires during a failover there and back while the client is stopped",
  {},
  async (scene) => {
    const { model, a, slot } = scene;
    const { cluster, operations } = model;
    const expiring = async () => {
      for (let n = 0; n < 20; n++) {
        operations.set(cluster.newKey(slot), 20);
        await model.run(100);
      }
    };
    model.pause(8_000);
    cluster.spawn(failOver(cluster, a, "orderly"));
    await expiring();
    await model.run(1_000);
    cluster.spawn(failOver(cluster, cluster.ownerOf(slot), "orderly"));
    await expiring();
  },
);
