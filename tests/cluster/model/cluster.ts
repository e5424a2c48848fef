import { hashSlot } from "../../../cluster/discovery/mod.ts";
import type { Dial } from "../../../mod.ts";
import type { Random } from "../../random.ts";
import type { VirtualClock } from "./clock.ts";
import { History } from "./history.ts";
import { type Claim, ModelNode, type Outcome, type Surroundings } from "./node.ts";
import type { Profile } from "./profiles.ts";
import { Session } from "./session.ts";
import { type Link, Wire } from "./wire.ts";

/** What a cluster is made of. */
export interface ModelClusterOptions {
  readonly profile: Profile;
  /** Whether `new`, and `overwritten` where the server has it, are switched on. */
  readonly emitsNew: boolean;
  /** How long a byte takes to or from a node at least, in ms: of each node of the cluster in turn. */
  readonly latencies: readonly number[];
  /** How many shards there are, 3 if left out; each has a replica. */
  readonly shards?: number;
  /** How many slots have an owner, 18 if left out. The others have none, which keeps answers short. */
  readonly owned?: number;
}

/** How long a slot counts as migrating after its migration, in ms: events are still on their way. */
const AFTERMATH = 1_000;

/** How often a node announces itself to all others, in ms. */
const GOSSIP_INTERVAL = 400;

/**
 * A cluster in one thread that behaves as servers were measured to: what each node emits, when, and
 * in which order, and what it answers. Clients, administrators and the cluster bus act on it directly,
 * each with delays; the client under test talks to it in RESP, through `dial`.
 */
export class ModelCluster implements Surroundings {
  readonly history: History = new History();
  readonly nodes: ModelNode[];
  readonly slots: readonly number[];
  readonly profile: Profile;
  readonly emitsNew: boolean;
  readonly links: Map<ModelNode, Link> = new Map();
  /** Slots that nodes are receiving by an atomic migration. */
  readonly copying: Map<ModelNode, Set<number>> = new Map();
  readonly #tags: readonly string[];
  readonly #slotOf = new Map<string, number>();
  readonly #moving = new Map<number, { count: number; until: number }>();
  /** Whether the client hears every node, so that it misses nothing when slots migrate. */
  isWhollyHeard = true;
  /** How many keys there were of each slot. */
  readonly #keys = new Map<number, number>();
  #ids = 0;

  constructor(
    readonly clock: VirtualClock,
    readonly random: Random,
    { profile, emitsNew, latencies, shards = 3, owned = 18 }: ModelClusterOptions,
  ) {
    this.profile = profile;
    this.emitsNew = emitsNew;
    this.nodes = Array.from({ length: 2 * shards }, (_, n) => new ModelNode(this, 7_000 + n));
    this.#tags = Array.from({ length: owned }, (_, n) => `{${n}}`);
    this.slots = this.#tags.map((tag) => hashSlot(tag));
    for (const [index, tag] of this.#tags.entries()) this.#slotOf.set(tag, this.slots[index]!);
    for (const [index, node] of this.nodes.entries()) {
      this.links.set(node, { latency: latencies[index % latencies.length]!, stalledUntil: 0 });
      for (const [other, one] of this.nodes.entries()) {
        node.epochs.set(one, (other % shards) + 1);
        node.primaries.set(one, other < shards ? null : this.nodes[other - shards]!);
      }
      node.replication = { ...this.nodes[index % shards]!.replication };
      for (const [n, slot] of this.slots.entries()) {
        const owner = this.nodes[Math.floor(n * shards / owned)]!;
        node.owners.set(slot, owner);
        this.history.firstOwners.set(slot, owner.port);
      }
      this.#gossip(node);
    }
  }

  /** A node joins that owns no slot. */
  add(): ModelNode {
    const node = new ModelNode(this, 7_000 + this.nodes.length);
    const [first] = this.nodes as [ModelNode, ...ModelNode[]];
    this.nodes.push(node);
    this.links.set(node, { latency: this.links.get(first)!.latency, stalledUntil: 0 });
    for (const [slot, owner] of first.owners) node.owners.set(slot, owner);
    for (const one of this.nodes) {
      node.epochs.set(one, first.epochs.get(one) ?? 0);
      node.primaries.set(one, first.primaries.get(one) ?? null);
      one.epochs.set(node, 0);
      one.primaries.set(node, null);
    }
    this.#gossip(node);
    return node;
  }

  /** The node that serves a slot, as the one knows that owns it. */
  ownerOf(slot: number): ModelNode {
    const owners = this.nodes.filter((node) => node.isAlive && node.owns(slot));
    return owners.sort((a, b) => b.epoch - a.epoch)[0] ?? this.nodes[0]!.owners.get(slot)!;
  }

  /** A key that was never used before. */
  newKey(slot: number): string {
    const count = this.#keys.get(slot) ?? 0;
    this.#keys.set(slot, count + 1);
    return `${this.#tags[this.slots.indexOf(slot)]}${count}`;
  }

  /** The names that keys of some slots may get. */
  keysOf(slots: ReadonlySet<number>, most: number): string[] {
    return this.#tags.filter((_, index) => slots.has(this.slots[index]!)).flatMap((tag) =>
      Array.from({ length: most }, (_, n) => `${tag}${n}`)
    );
  }

  /** A name for an atomic migration. */
  newId(): string {
    return (++this.#ids).toString(16).padStart(40, "e");
  }

  slotOf(key: string): number {
    return this.#slotOf.get(key.slice(0, key.indexOf("}") + 1))!;
  }

  note(text: string): void {
    this.history.notes.push({ at: this.clock.epoch, text });
  }

  /** Notes that events of a node do not reach the client for so many ms. */
  noteOutage({ port }: ModelNode, ms: number, stream: number = port): void {
    const { epoch: from } = this.clock;
    this.history.outages.push({ port, from, to: from + Math.ceil(ms), stream });
  }

  /** A node has no `notify-keyspace-events` for so many ms. */
  mute(node: ModelNode, ms: number): void {
    const { flags } = node;
    node.flags = "";
    this.noteOutage(node, ms);
    this.clock.after(ms, () => node.flags = flags);
  }

  /** Nothing travels between a node and the client for so many ms. */
  stall(node: ModelNode, ms: number): void {
    this.links.get(node)!.stalledUntil = this.clock.now + ms;
    this.noteOutage(node, ms);
  }

  /** Notes that a node owns a slot from now on. */
  noteTakeover(node: ModelNode, slot: number): void {
    const isHeard = [...node.sessions].some(({ isSubscribed }) => isSubscribed);
    if (!isHeard || !this.isWhollyHeard) this.noteOutage(node, 0, this.history.ownerOf(slot));
    this.history.takeovers.push({ slot, port: node.port, at: this.clock.epoch });
    const count = this.#moving.get(slot)?.count ?? 0;
    this.#moving.set(slot, { count, until: this.clock.now + AFTERMATH });
  }

  /** Notes that a slot is being migrated. */
  beginMove(slot: number): void {
    const count = (this.#moving.get(slot)?.count ?? 0) + 1;
    this.#moving.set(slot, { count, until: 0 });
  }

  endMove(slot: number): void {
    const count = this.#moving.get(slot)!.count - 1;
    this.#moving.set(slot, { count, until: this.clock.now + AFTERMATH });
  }

  /** Whether a migration of a slot is under way. */
  isBusy(slot: number): boolean {
    return (this.#moving.get(slot)?.count ?? 0) > 0;
  }

  isMigrating(slot: number): boolean {
    const { count, until } = this.#moving.get(slot) ?? { count: 0, until: 0 };
    return count > 0 || this.clock.now < until;
  }

  /** Whether a node is receiving a slot by an atomic migration. */
  isCopied(node: ModelNode, slot: number): boolean {
    return this.copying.get(node)?.has(slot) === true;
  }

  /** Whether another node has taken a slot over, which its owner does not know yet. */
  hasSuccessor(owner: ModelNode, slot: number): boolean {
    return this.nodes.some((node) =>
      node !== owner && node.isAlive && node.owns(slot) && node.epoch > owner.epoch
    );
  }

  /** Does something step by step; each step gives the ms until the next. */
  spawn(steps: Generator<number, void>): void {
    const step = () => {
      const { done, value } = steps.next();
      if (!done) this.clock.after(value, step);
    };
    step();
  }

  /** A node sends its claim to all others. */
  announce(node: ModelNode): void {
    const primary = node.primaries.get(node)!;
    const slots = [...node.owners].filter(([, owner]) => owner === node).map(([slot]) => slot);
    const claim: Claim = {
      node,
      epoch: node.epoch,
      primary,
      slots: primary === null ? slots : [],
    };
    for (const other of this.nodes) if (other !== node) this.#deliver(node, other, claim);
  }

  /** A node sends another one the claim of a third that owns what the other one claims. */
  correct(from: ModelNode, to: ModelNode, owner: ModelNode): void {
    const slots = [...from.owners].filter(([, one]) => one === owner).map(([slot]) => slot);
    this.#deliver(from, to, { node: owner, epoch: from.epochs.get(owner)!, primary: null, slots });
  }

  #deliver(from: ModelNode, to: ModelNode, claim: Claim): void {
    if (!from.isAlive || from.isStopped) return;
    const latency = this.random.chance(0.9) ? this.random.next() : this.random.below(30);
    this.clock.after(latency, () => to.run(() => to.hear(claim, from)));
  }

  #gossip(node: ModelNode): void {
    this.clock.after(GOSSIP_INTERVAL * (0.5 + this.random.next()), () => {
      this.announce(node);
      this.#gossip(node);
    });
  }

  /** How a client of the cluster has a command done: it follows redirections, and tries again. */
  command(keys: readonly string[], work: (node: ModelNode) => void): void {
    const slot = this.slotOf(keys[0]!);
    const anywhere = () => this.random.pick(this.nodes).owners.get(slot)!;
    const attempt = (node: ModelNode, isAsking: boolean, left: number) => {
      if (left === 0) return;
      this.clock.after(0.05 + this.random.next() / 2, () => {
        if (!node.isAlive) {
          this.clock.after(50, () => attempt(anywhere(), false, left - 1));
          return;
        }
        node.run(() => {
          const outcome: Outcome = node.serve(keys, isAsking, () => work(node));
          if (outcome.kind === "moved") attempt(outcome.to, false, left - 1);
          else if (outcome.kind === "ask") attempt(outcome.to, true, left - 1);
          else if (outcome.kind === "wait") {
            outcome.until.push(() => attempt(node, false, left - 1));
          } else if (outcome.kind === "try again") {
            this.clock.after(2, () => attempt(node, false, left - 1));
          }
        });
      });
    };
    attempt(anywhere(), false, 20);
  }

  /** Connects the client under test to a node. */
  readonly dial: Dial = (address, { signal }) =>
    new Promise((resolve, reject) => {
      const node = this.nodes.find(({ port }) => "port" in address && address.port === port);
      if (node === undefined) return reject(new Error("No node listens there"));
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const link = this.links.get(node)!;
      const wait = Math.max(0, link.stalledUntil - this.clock.now) + 2 * link.latency;
      this.clock.afterInClient(wait + this.random.next() * 0.2, () => {
        if (signal.aborted) return;
        if (!node.isAlive) return reject(new Error("Connection refused"));
        const wire = new Wire(this.clock, this.random, link);
        node.sessions.add(new Session(node, wire));
        resolve(wire.transport);
      });
    });
}
