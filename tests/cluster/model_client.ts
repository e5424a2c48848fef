import {
  Ownership,
  type OwnershipOptions,
  type Question,
  Topology,
  type Verdict,
} from "../../cluster/mod.ts";
import type { ModelCluster, ModelEvent, ModelNode } from "./model.ts";
import type { Random } from "../random.ts";
import { node, shard } from "./shards.ts";

const utf8 = new TextEncoder();
type NodeQuestion = Exclude<Question, { kind: "topology" }>;

/** One connection: what goes to the node, and what comes from it, both in order. */
interface Line {
  readonly toNode: (() => void)[];
  readonly toClient: (() => void)[];
}

/** How a client listens. */
export interface ListenerOptions extends OwnershipOptions {
  /** In RESP2 questions but PING go by another connection. */
  readonly protocol: 2 | 3;
  /** Whether positions are taken as the replies are read. */
  readonly isExact: boolean;
  /** Whether large clusters' cheaper answers are given where they suffice. */
  readonly glances: boolean;
  /** Whether the node tells of keys and moves; without the right to, it does not. */
  readonly tells: boolean;
  /** Whether slots move only when it has learned of the last move. */
  readonly keepsUp: boolean;
  /** The family of channels that is subscribed to. */
  readonly kind: "keyspace" | "keyevent";
  /** Events that are not subscribed to. */
  readonly deaf: readonly string[];
  /** Events that are subscribed to and not by turns, at each node at another time. */
  readonly fickle: readonly string[];
}

/** Listens to all nodes of a model by connections that are read as chance will have it. */
export class ModelListener {
  readonly decided: { event: ModelEvent; verdict: Verdict }[] = [];
  readonly ownership: Ownership<ModelEvent>;
  /** Events that were on their way when their connection broke. */
  readonly lost: Set<ModelEvent> = new Set();
  now = 1_000;
  readonly #cluster: ModelCluster;
  readonly #random: Random;
  readonly #options: ListenerOptions;
  readonly #lines = new Map<string, { main: Line; control: Line }>();
  readonly #streams = new Map<string, ReturnType<Ownership<ModelEvent>["open"]>>();
  readonly #inFlight = new Map<string, Set<ModelEvent>>();
  /** What the client itself puts off: questions not sent yet, answers not handed in yet. */
  readonly #putOff: (() => void)[] = [];

  constructor(cluster: ModelCluster, random: Random, options: ListenerOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
    this.ownership = new Ownership<ModelEvent>({
      decide: (event, verdict) => this.decided.push({ event, verdict }),
      ask: (question) => this.#putOff.push(() => this.#put(question)),
      renew: (node) => {
        throw new Error(`${node} is never a replica`);
      },
    }, options);
    this.ownership.setTopology(this.#topology(cluster.gossip));
    for (const node of cluster.nodes) this.#connect(node);
  }

  /** Whether all that was sent has come, and all that was asked is answered. */
  get isCaughtUp(): boolean {
    const lines = [...this.#lines.values()].flatMap(({ main, control }) => [main, control]);
    return this.#putOff.length === 0 && this.ownership.held === 0 &&
      lines.every(({ toNode, toClient }) => toNode.length === 0 && toClient.length === 0);
  }

  /** Whether it knows who owns what; if not, it asks. */
  hasLearned(): boolean {
    if (!this.isCaughtUp) return false;
    const owners = JSON.stringify([...this.#cluster.gossip]);
    if (owners === this.#learned) return true;
    this.#learned = owners;
    this.ownership.setTopology(this.#topology(this.#cluster.gossip));
    this.now += 1_000;
    this.ownership.tick(this.now);
    return false;
  }

  #learned = "";

  get #hearsAll(): boolean {
    const { deaf, fickle } = this.#options;
    return deaf.length === 0 && fickle.length === 0;
  }

  #connect(node: ModelNode): void {
    const line = (): Line => ({ toNode: [], toClient: [] });
    this.#lines.set(node.id, { main: line(), control: line() });
    this.#inFlight.set(node.id, new Set());
    this.#streams.set(node.id, this.ownership.open(node.id, () => this.#hearsAll));
  }

  /** The connection to a node breaks, and another is made. */
  reconnect(node: ModelNode): void {
    this.#streams.get(node.id)!.close();
    for (const event of this.#inFlight.get(node.id)!) this.lost.add(event);
    this.#connect(node);
  }

  /** A node sends an event. */
  hear(node: ModelNode, event: ModelEvent): void {
    const { deaf, fickle } = this.#options;
    const isHeard = !deaf.includes(event.type) &&
      !(fickle.includes(event.type) && this.#withoutFickle.has(node));
    if (!isHeard) return void this.lost.add(event);
    const { slot, type } = event;
    const stream = this.#streams.get(node.id)!;
    const inFlight = this.#inFlight.get(node.id)!;
    inFlight.add(event);
    this.#lines.get(node.id)!.main.toClient.push(() => {
      inFlight.delete(event);
      const facts = {
        kind: this.#options.kind,
        eventType: type,
        database: 0,
        keyBytes: utf8.encode(event.key),
      };
      stream.event(slot, facts, event, { at: this.now, bytes: 50 });
    });
  }

  /** The nodes at which the fickle events are not subscribed. */
  readonly #withoutFickle = new Set<ModelNode>();

  /** A node confirms that the fickle events are subscribed there, or no longer. */
  resubscribe(node: ModelNode): void {
    if (!this.#withoutFickle.delete(node)) this.#withoutFickle.add(node);
    this.#lines.get(node.id)!.main.toClient.push(() => this.ownership.resubscribed());
  }

  /** Something happens on the way or at the client. */
  step(): void {
    const random = this.#random;
    if (random.chance(0.1)) {
      this.now += random.below(3);
      this.ownership.tick(this.now);
      return;
    }
    if (this.#putOff.length > 0 && random.chance(0.3)) return this.#putOff.shift()!();
    const node = random.pick(this.#cluster.nodes);
    const { main, control } = this.#lines.get(node.id)!;
    const line = random.chance(0.3) ? control : main;
    const queue = random.chance(0.3) && !node.isBlocked ? line.toNode : line.toClient;
    // A chunk holds several of them.
    for (let count = 1 + random.below(6); count > 0; count--) queue.shift()?.();
  }

  /** Lets everything arrive; the servers do nothing more. */
  settle(): void {
    for (let quiet = 0; quiet < 3;) {
      const before = this.decided.length;
      let moved = 0;
      for (const { main, control } of this.#lines.values()) {
        for (const queue of [main.toNode, main.toClient, control.toNode, control.toClient]) {
          for (let next = queue.shift(); next; next = queue.shift()) moved += 1, next();
        }
      }
      for (let next = this.#putOff.shift(); next; next = this.#putOff.shift()) moved += 1, next();
      this.now += 5;
      this.ownership.tick(this.now);
      quiet = moved === 0 && before === this.decided.length ? quiet + 1 : 0;
    }
  }

  #topology(owners: ReadonlyMap<number, string>): Topology {
    const shards = this.#cluster.nodes.map(({ id }) => {
      const owned = [...owners].filter(([, owner]) => owner === id);
      return shard(node(id), owned.map(([slot]) => [slot, slot]));
    });
    return new Topology(shards);
  }

  #put(question: Question): void {
    if (question.kind === "topology") {
      const topology = this.#topology(this.#cluster.gossip);
      this.#putOff.push(() => this.ownership.setTopology(topology));
      return;
    }
    const { protocol, tells } = this.#options;
    const { main, control } = this.#lines.get(question.node)!;
    const stream = this.#streams.get(question.node)!;
    const node = this.#cluster.nodes.find(({ id }) => id === question.node)!;
    if (!tells && (question.kind === "keys" || question.kind === "moves")) {
      return question.fail();
    }
    question.sent();
    const isApart = protocol === 2 && question.kind !== "ping";
    const line = isApart ? control : main;
    line.toNode.push(() => {
      const answer = this.#answer(question, node);
      line.toClient.push(() => {
        if (!isApart) return this.#handIn(() => answer(stream.position));
        main.toNode.push(() => main.toClient.push(() => this.#handIn(() => answer(undefined))));
      });
    });
  }

  #handIn(answer: () => void): void {
    if (this.#options.isExact || this.#random.chance(0.5)) answer();
    else this.#putOff.push(answer);
  }

  #answer(question: NodeQuestion, node: ModelNode): (position: number | undefined) => void {
    const { isExact, glances, tells } = this.#options;
    switch (question.kind) {
      case "ping":
        return () => question.answer();
      case "moves": {
        const moves = [...node.moves];
        const stats = node.stats();
        return () => question.answer(moves, stats);
      }
      case "keys": {
        const keys = new Map(question.slots.map((slot) => {
          return [slot, Array.from(node.keysOf(slot), (key) => utf8.encode(key))];
        }));
        return () => question.answer(keys);
      }
      case "view": {
        const { first, last } = question.slots;
        const whole = node.view();
        const { moves: _, ...withoutMoves } = whole;
        const view = glances && !question.needsMarkers
          ? node.glance(first, last)
          : tells
          ? whole
          : withoutMoves;
        return (position) => question.answer(view, isExact ? position : undefined);
      }
    }
  }
}
