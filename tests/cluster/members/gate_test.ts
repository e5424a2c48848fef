import { assert, assertEquals, assertRejects } from "@std/assert";
import { NodeGate, slotOf } from "../../../cluster/members/gate.ts";
import type { GatedNode } from "../../../cluster/members/link.ts";
import { silent } from "../migration/filters.ts";
import { fenceOf, slotOfFence } from "../../../cluster/members/watched_slots.ts";
import { MigrationFilter } from "../../../cluster/migration/filter.ts";
import { hashSlot } from "../../../cluster/mod.ts";
import { KeyNotification } from "../../../parse/mod.ts";
import type { Connection } from "../../../pubsub/connection/connection.ts";
import { ConnectError } from "../../../pubsub/connection/errors.ts";
import type { Delivery, Dispatcher } from "../../../pubsub/dispatcher.ts";
import { type Reply, RespMap, ServerError } from "../../../resp/mod.ts";
import { sleep, until } from "../../servers/mod.ts";

type OnAnswer = (channel: Uint8Array, error: Error | null) => void;

/** A node that answers what the test says. */
class Scene {
  /** The commands that were sent, in order. */
  readonly sent: string[] = [];
  /** What the gate has reported, in order. */
  readonly reported: string[] = [];
  readonly decided: string[] = [];
  /** What is wrong with the fence of a slot. */
  refusal: (slot: number) => ServerError | null = () => null;
  /** What the node emits in the same chunk as its answers. */
  afterAnswers: () => void = () => {};
  role = "master";
  /** Whether it has been a primary all the time. */
  wasPrimary = true;
  /** How often the gate has said that events wait for an answer. */
  asked = 0;
  /** Pings that were not answered yet. */
  readonly pings: (() => void)[] = [];
  slots: number[] = [1, 2];
  readonly gate: NodeGate;
  readonly filter: MigrationFilter<Delivery>;
  readonly #protocol: 2 | 3;
  readonly #connection: Connection;

  constructor(options: { protocol?: 2 | 3; hasFences?: boolean; spacing?: number } = {}) {
    const { protocol = 3, hasFences = true, spacing = 0 } = options;
    this.#protocol = protocol;
    this.filter = new MigrationFilter<Delivery>({
      decide: ({ notification }, classification) =>
        void this.decided.push(`${notification.eventType} ${classification}`),
      outdated() {},
      demoted: () => void this.reported.push("demoted"),
    });
    const node: GatedNode = {
      id: "a",
      node: "a:1",
      unheardFrom: null,
      wasPrimary: () => Promise.resolve(this.wasPrimary),
      readHistory: () => Promise.resolve(),
      expect: () => void this.asked++,
      onReceived() {},
      onConnected() {},
      reported() {},
    };
    this.gate = new NodeGate(node, {
      filter: this.filter,
      dispatcher: { hand: () => void this.reported.push("handed on") } as unknown as Dispatcher,
      hasFences,
      clock: 0,
      spacing,
      slots: { toFence: () => this.slots, isNarrow: false },
      onFences: (_, owned, denied) => {
        for (const slot of owned) this.reported.push(`fence ${slot} true`);
        for (const slot of denied) this.reported.push(`fence ${slot} false`);
      },
      onReleased: (_, slot, provenAt) => void this.reported.push(`released ${slot} ${provenAt}`),
    });
    this.#connection = {
      closedReason: null,
      secrets: { field: (text: string | null) => text },
      subscribeShard: (channels: readonly Uint8Array[], onAnswer: OnAnswer) => {
        this.sent.push(`SSUBSCRIBE ${channels.map(slotOfFence).join(" ")}`);
        queueMicrotask(() => {
          for (const channel of channels) onAnswer(channel, this.refusal(slotOfFence(channel)));
          this.afterAnswers();
        });
      },
      sendInOrder: (_: string[], { answer }: { answer(reply: Reply): void }) => {
        this.sent.push("PING");
        this.pings.push(() => answer("PONG"));
      },
      send: (...words: string[]) => this.#answer(words),
      request: (...words: string[]) => this.#answer(words),
    } as unknown as Connection;
  }

  #answer(words: readonly (string | number)[]): Promise<Reply> {
    this.sent.push(words.join(" "));
    const name = words.slice(0, 2).join(" ");
    if (name === "PING") return new Promise((resolve) => this.pings.push(() => resolve("PONG")));
    if (name === "HELLO 3") {
      const role = this.role === "master" ? "master" : "replica";
      return Promise.resolve(new RespMap(["role", role]));
    }
    if (name === "ROLE") return Promise.resolve([this.role === "master" ? "master" : "slave", 1]);
    if (name === "CLUSTER INFO") return Promise.resolve("cluster_known_nodes:2\r\n");
    if (name === "CLUSTER MIGRATION") return Promise.resolve([]);
    return Promise.reject(new ServerError("ERR unknown command"));
  }

  connect(): Promise<void> {
    const info = { protocol: this.#protocol } as Parameters<NodeGate["connected"]>[1];
    return this.gate.connected(this.#connection, info, (question) => question(this.#connection));
  }

  /** The node emits an event of a key in slot 5061. */
  emit(eventType: string): void {
    const notification = KeyNotification.tryParse("__keyspace@0__:bar", eventType)!;
    this.gate.pass({ notification, begins: true, bytes: 10, consumers: [] } as never);
  }
}

Deno.test("a gate sets the fences of its node's slots, and requests its role and migrations", async () => {
  const scene = new Scene();
  await scene.connect();
  const stream = scene.gate.stream!;
  assertEquals([stream.holds(1), stream.holds(2), stream.holds(3)], [true, true, false]);
  assertEquals(stream.report!.role, "primary");
  // Of slots that it owned when it was connected to nothing is reported.
  assertEquals(scene.reported, []);
  scene.gate.close();
  assertEquals(scene.gate.stream, null);
});

Deno.test("in RESP2 a gate requests them before it sets a fence, because no command follows one", async () => {
  const scene = new Scene({ protocol: 2 });
  await scene.connect();
  assertEquals(scene.sent.findIndex((command) => command.startsWith("SSUBSCRIBE")), 4);
  scene.gate.close();
});

Deno.test("a gate that is being connected asks once for each fence", async () => {
  for (const protocol of [2, 3] as const) {
    const scene = new Scene({ protocol });
    const connected = scene.connect();
    // A topology comes meanwhile.
    await scene.gate.extend();
    await connected;
    await scene.gate.extend();
    const commands = scene.sent.filter((command) => command.startsWith("SSUBSCRIBE"));
    assertEquals(commands, ["SSUBSCRIBE 1 2"], `RESP${protocol}`);
    scene.gate.close();
  }
});

Deno.test("a gate refuses a node that says that it is a replica", async () => {
  for (const protocol of [2, 3] as const) {
    const scene = new Scene({ protocol });
    scene.role = "replica";
    await assertRejects(() => scene.connect(), ConnectError, "it is a replica now");
    scene.gate.close();
  }
});

Deno.test("where fences are refused or not desired nothing waits", async () => {
  for (
    const [options, message] of [
      [{}, "NOPERM no permission to run 'ssubscribe'"],
      [{}, "ERR unknown command 'SSUBSCRIBE'"],
      [{ hasFences: false }, ""],
    ] as const
  ) {
    const scene = new Scene(options);
    scene.refusal = () => new ServerError(message);
    await scene.connect();
    assertEquals(scene.gate.stream!.isFenceless, true, message);
    scene.emit("del");
    assertEquals([scene.decided, scene.filter.queues.held], [["del maybe"], 0]);
    if (message === "") assertEquals(scene.sent, []);
    scene.gate.close();
  }
});

Deno.test("MOVED and CLUSTERDOWN say that the node does not own the slot", async () => {
  for (const message of ["MOVED 2 127.0.0.1:1", "CLUSTERDOWN Hash slot not served"]) {
    const scene = new Scene();
    scene.refusal = (slot) => slot === 2 ? new ServerError(message) : null;
    await scene.connect();
    const stream = scene.gate.stream!;
    assertEquals([stream.holds(1), stream.holds(2), stream.isFenceless], [true, false, false]);
    scene.gate.close();
  }
});

Deno.test("fences of slots of which events came are requested in one write, once", async () => {
  const scene = new Scene();
  await scene.connect();
  scene.sent.length = 0;
  for (const slot of [7, 8, 7]) scene.gate.stream!.node.fence(slot);
  await until("both are answered", () => scene.reported.length === 2);
  assertEquals(scene.sent, ["SSUBSCRIBE 7 8"]);
  assertEquals(scene.reported, ["fence 7 true", "fence 8 true"]);
  scene.gate.close();
});

Deno.test("the end of a fence is reported if it was held", async () => {
  const scene = new Scene();
  await scene.connect();
  scene.gate.released(fenceOf(2), 123);
  scene.gate.released(fenceOf(2), 124);
  scene.gate.released(fenceOf(9), 125);
  assertEquals(scene.reported, ["released 2 123"]);
  assertEquals(scene.gate.stream!.holds(2), false);
  scene.gate.close();
  // Of a connection that is over nothing more is to be reported.
  scene.gate.released(fenceOf(1), 126);
  assertEquals(scene.reported.length, 1);
});

Deno.test("fences that a node accepts which held none count only if it is a primary", async () => {
  for (const [role, expected] of [["master", ["fence 1 true"]], ["replica", ["demoted"]]]) {
    const scene = new Scene();
    scene.slots = [];
    await scene.connect();
    scene.filter.heard(scene.gate.stream!);
    scene.role = role as string;
    scene.slots = [1];
    await scene.gate.extend();
    await until("it is reported", () => scene.reported.length > 0);
    assertEquals(scene.reported, expected);
    assertEquals(scene.gate.stream!.holds(1), role === "master");
    scene.gate.close();
  }
});

Deno.test("one ping is under way at a time, and the next one is not sent before the spacing allows it", async () => {
  const scene = new Scene({ spacing: 50 });
  await scene.connect();
  scene.gate.stream!.node.ping();
  scene.gate.stream!.node.ping();
  assertEquals(scene.pings.length, 1);
  const sentAt = performance.now();
  scene.pings[0]!();
  scene.gate.stream!.node.ping();
  assertEquals(scene.pings.length, 1);
  await until("the next one is sent", () => scene.pings.length === 2);
  // Timers may fire a little early.
  assert(performance.now() - sentAt > 45);
  // One that is not answered is not repeated.
  await sleep(60);
  scene.gate.stream!.node.ping();
  assertEquals(scene.pings.length, 2);
  scene.gate.close();
});

Deno.test("with each ping of a gate its node is watched for an answer", async () => {
  const scene = new Scene();
  await scene.connect();
  const before = scene.asked;
  scene.gate.stream!.node.ping();
  assertEquals(scene.asked, before + 1);
  scene.gate.close();
});

Deno.test("a gate is settled once its node has answered what was sent after all nodes were heard", async () => {
  const scene = new Scene();
  const { gate, filter } = scene;
  await scene.connect();
  filter.heard(gate.stream!);
  const isSettled = () => {
    let isDone = false;
    gate.settled().then(() => isDone = true);
    return () => isDone;
  };
  const answer = async () => {
    for (const answered of scene.pings.splice(0)) answered();
    await sleep(0);
  };
  const first = isSettled();
  await sleep(0);
  assertEquals(first(), false);
  // While it is under way, another node is heard.
  filter.heard(filter.open(silent("b")));
  await answer();
  assertEquals(first(), false);
  await answer();
  assertEquals(first(), true);
  scene.sent.length = 0;
  await gate.settled();
  assertEquals(scene.sent, []);
  // A node that is lost meanwhile proves nothing.
  filter.heard(filter.open(silent("c")));
  const second = isSettled();
  gate.close();
  await answer();
  assertEquals(second(), true);
});

Deno.test("an event without a fence waits, and comes once the node has said what it is", async () => {
  const scene = new Scene();
  await scene.connect();
  scene.emit("append");
  assertEquals([scene.decided, scene.filter.queues.held], [[], 1]);
  await until("it is decided", () => scene.decided.length > 0);
  assertEquals(scene.decided, ["append real"]);
  scene.gate.close();
  scene.emit("set");
  assertEquals(scene.reported.at(-1), "handed on");
});

Deno.test("an event that stands behind an answer in its chunk waits for the next answer", async () => {
  const scene = new Scene();
  await scene.connect();
  scene.refusal = () => new ServerError("MOVED 5061 b:1");
  scene.afterAnswers = () => {
    scene.afterAnswers = () => {};
    scene.refusal = () => null;
    scene.emit("hset");
  };
  scene.emit("set");
  await until("the second answer", () => scene.gate.stream!.holds(5061));
  assertEquals(scene.sent.filter((text) => text === "SSUBSCRIBE 5061").length, 2);
});

Deno.test("a notification's slot is that of the whole key, with its prefix", () => {
  const keys = ["k", "größe", "{tag}k", "k{tag}", "{}k", "}{"];
  for (const prefix of ["", "app:", "{app}:", "a{", "größe:"]) {
    for (const key of keys) {
      const notification = KeyNotification.tryParse("__keyevent@0__:set", prefix + key, {
        keyPrefix: prefix,
      })!;
      assertEquals(slotOf(notification), hashSlot(prefix + key), `${prefix} and ${key}`);
    }
  }
  const bytes = Uint8Array.of(0xff, 0x7b, 0xfe, 0x7d, 0x61);
  const notification = KeyNotification.tryParse("__keyevent@0__:set", bytes)!;
  assertEquals(slotOf(notification), hashSlot(bytes));
});

Deno.test("no further fences are set while events of the new connection may be held", async () => {
  const scene = new Scene();
  scene.slots = [];
  await scene.connect();
  scene.slots = [1];
  scene.sent.length = 0;
  await scene.gate.extend();
  assertEquals(scene.sent, []);
  scene.filter.heard(scene.gate.stream!);
  await scene.gate.extend();
  assertEquals(scene.sent.includes("SSUBSCRIBE 1"), true);
  scene.gate.close();
});
