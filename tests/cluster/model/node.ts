import type { Random } from "../../random.ts";
import type { VirtualClock } from "./clock.ts";
import type { Emission, History, Truth } from "./history.ts";
import type { ListedMove, Profile } from "./profiles.ts";
import { Failure } from "./reply.ts";

/** What a node needs of the cluster that it is part of. */
export interface Surroundings {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly history: History;
  readonly profile: Profile;
  readonly emitsNew: boolean;
  readonly nodes: readonly ModelNode[];
  slotOf(key: string): number;
  newId(): string;
  note(text: string): void;
  noteTakeover(node: ModelNode, slot: number): void;
  noteOutage(node: ModelNode, ms: number): void;
  isMigrating(slot: number): boolean;
  isCopied(node: ModelNode, slot: number): boolean;
  hasSuccessor(owner: ModelNode, slot: number): boolean;
  announce(node: ModelNode): void;
  correct(from: ModelNode, to: ModelNode, owner: ModelNode): void;
}

/** A connection of the client, as far as the node concerns itself with it. */
export interface NodeSession {
  readonly isSubscribed: boolean;
  publish(emission: Emission): void;
  breakFences(isLost: (slot: number) => boolean): void;
  end(how: "end" | "reset"): void;
}

/** What a key holds. */
export interface Value {
  readonly type: "string" | "hash" | "list" | "set";
  /** In ms since the clock's start; null if it does not expire. */
  readonly expiresAt: number | null;
}

/** What a command, or an expiry, makes of one key. */
export interface Change {
  readonly key: string;
  /** Null if the key goes. */
  readonly value: Value | null;
  readonly events: readonly string[];
  /** As a node that repeats the command emits it: a replica, or the target of an atomic migration. */
  readonly repeated: readonly string[];
}

/** What a node says of itself to another one. */
export interface Claim {
  readonly node: ModelNode;
  readonly epoch: number;
  readonly primary: ModelNode | null;
  readonly slots: readonly number[];
}

/** What a node does with a command of a client. */
export type Outcome =
  | { readonly kind: "done" | "try again" | "none" }
  | { readonly kind: "moved" | "ask"; readonly to: ModelNode }
  | { readonly kind: "wait"; readonly until: (() => void)[] };

/** A server of the cluster: keys, slots, what it believes of the others, and its connections. */
export class ModelNode {
  readonly id: string;
  readonly keys: Map<string, Value> = new Map();
  /** What it believes of all nodes, itself among them. */
  readonly owners: Map<number, ModelNode> = new Map();
  readonly epochs: Map<ModelNode, number> = new Map();
  readonly primaries: Map<ModelNode, ModelNode | null> = new Map();
  readonly failed: Set<ModelNode> = new Set();
  readonly importing: Map<number, ModelNode> = new Map();
  readonly migrating: Map<number, ModelNode> = new Map();
  moves: ListedMove[] = [];
  readonly sessions: Set<NodeSession> = new Set();
  isAlive = true;
  /** Whether another node was promoted in its place, which it does not know yet. */
  isReplaced = false;
  /** Its `notify-keyspace-events`: all or none. */
  flags = "AKE";
  /** Whether the user of the client may run `SSUBSCRIBE`. */
  allowsFences = true;
  /** How often it was emptied by `FLUSHALL`. */
  flushes = 0;
  /** Writes that wait: for the end of a failover, or, of one slot, of an atomic migration. */
  writesWait: (() => void)[] | null = null;
  readonly slotsWait: Map<number, (() => void)[]> = new Map();
  /** Takes each change of a slot that is being migrated atomically. */
  readonly exports: Map<number, (change: Change) => void> = new Map();
  /** Slots that were migrated atomically, which it does not know yet. */
  readonly handedOver: Set<number> = new Set();
  /** The replication stream that it writes or follows, and how far that has come, in bytes. */
  replication: { readonly id: string; readonly offset: number };
  /** The stream that it followed before it was promoted, and up to where. */
  formerReplication: { readonly id: string; readonly offset: number } = {
    id: "0".repeat(40),
    offset: -1,
  };
  /** How many changes are on their way to replicas. */
  replicating = 0;
  readonly #inbox: (() => void)[] = [];
  /** Why it does nothing: it hangs, or waits for another server in a command. */
  #stops = 0;
  #repeatedAt = 0;

  constructor(readonly cluster: Surroundings, readonly port: number) {
    this.id = port.toString(16).padStart(40, "a");
    this.replication = { id: port.toString(16).padStart(40, "b"), offset: 1_000 };
  }

  get isPrimary(): boolean {
    return this.primaries.get(this) === null;
  }

  get epoch(): number {
    return this.epochs.get(this)!;
  }

  /** Whether it is a replica of a node. */
  follows(node: ModelNode): boolean {
    return this !== node && this.primaries.get(this) === node;
  }

  get isStopped(): boolean {
    return this.#stops > 0;
  }

  owns(slot: number): boolean {
    return this.isPrimary && this.owners.get(slot) === this;
  }

  /** Whether writes to a slot wait. */
  waits(slot: number): boolean {
    return this.writesWait !== null || this.slotsWait.has(slot);
  }

  keysOf(slot: number): string[] {
    return [...this.keys.keys()].filter((key) => this.cluster.slotOf(key) === slot);
  }

  /** Does something as soon as the node is free. */
  run(work: () => void): void {
    if (!this.isAlive) return;
    if (this.isStopped) this.#inbox.push(work);
    else work();
  }

  /** The node does nothing, until it is released as often as it was stopped. */
  stop(): void {
    this.#stops++;
  }

  release(): void {
    this.#stops--;
    if (!this.isAlive) this.#inbox.length = 0;
    while (!this.isStopped && this.#inbox.length > 0) this.#inbox.shift()!();
  }

  /** `CLUSTER SETSLOT … IMPORTING`, `MIGRATING` or, of null, `STABLE`. */
  setSlot(slot: number, state: "importing" | "migrating" | null, other?: ModelNode): void {
    const { nodes, profile } = this.cluster;
    const replicas = profile.replicatesSetSlot ? nodes.filter((node) => node.follows(this)) : [];
    for (const node of [this, ...replicas]) {
      node.importing.delete(slot);
      node.migrating.delete(slot);
      if (state !== null) node[state].set(slot, other!);
    }
  }

  /** Serves a client's command: redirects it, or has it done. */
  serve(keys: readonly string[], isAsking: boolean, work: () => void): Outcome {
    const slot = this.cluster.slotOf(keys[0]!);
    const owner = this.owners.get(slot);
    const has = keys.filter((key) => this.keys.has(key)).length;
    if (!this.owns(slot)) {
      if (!(this.isPrimary && isAsking && this.importing.has(slot))) {
        if (owner === undefined || owner === this) return { kind: "none" };
        return { kind: "moved", to: owner };
      }
      if (keys.length > 1 && has < keys.length) return { kind: "try again" };
    } else {
      const waits = this.writesWait ?? this.slotsWait.get(slot);
      if (waits !== undefined) return { kind: "wait", until: waits };
      const to = this.migrating.get(slot);
      if (to !== undefined && has < keys.length) {
        return has === 0 ? { kind: "ask", to } : { kind: "try again" };
      }
    }
    for (const key of keys) this.expireIfDue(key);
    work();
    return { kind: "done" };
  }

  /** Makes a change, emits its events, and passes it on to the nodes that repeat it. */
  change(change: Change, why: string, truth: Truth = "real"): void {
    const { key, value, events } = change;
    const slot = this.cluster.slotOf(key);
    this.put(key, value);
    const isReplaced = this.isReplaced || this.owns(slot) && this.cluster.hasSuccessor(this, slot);
    const isUndone = truth === "real" && isReplaced;
    for (const type of events) this.emit(key, type, isUndone ? "undone" : truth, why);
    this.exports.get(slot)?.(change);
    this.#replicate(change);
  }

  /** Emits an event. */
  emit(key: string, type: string, truth: Truth, why: string): void {
    const { cluster } = this;
    const slot = cluster.slotOf(key);
    const emission = cluster.history.add({
      port: this.port,
      slot,
      key,
      type,
      at: cluster.clock.epoch,
      truth,
      why,
      isMigrating: cluster.isMigrating(slot),
    });
    if (this.flags === "") return;
    for (const session of this.sessions) session.publish(emission);
  }

  /** Sets a key, or removes it, without an event. */
  put(key: string, value: Value | null): void {
    if (value === null) {
      this.keys.delete(key);
      return;
    }
    this.keys.set(key, value);
    if (value.expiresAt !== null) this.#expireLater(key, value);
  }

  /** A key that has expired is found by a command. */
  expireIfDue(key: string): void {
    const expiresAt = this.keys.get(key)?.expiresAt ?? null;
    if (expiresAt !== null && expiresAt <= this.cluster.clock.now) this.#expire(key);
  }

  /** Forgets the keys of a slot without an event, except at its replicas. */
  drop(slot: number): void {
    const { droppedAtReplicas: when } = this.cluster.profile;
    const isAtomic = this.handedOver.delete(slot);
    const repeated = when === "always" || when === "by key" && !isAtomic ? ["del"] : [];
    for (const key of this.keysOf(slot)) {
      this.keys.delete(key);
      this.#replicate({ key, value: null, events: [], repeated });
    }
  }

  /** Takes over who owns a slot. */
  assign(slot: number, owner: ModelNode): void {
    const before = this.owners.get(slot);
    this.owners.set(slot, owner);
    if (before === owner) return;
    if (before !== this.#shard) return;
    this.breakFences((one) => one === slot);
    this.migrating.delete(slot);
    if (!this.isPrimary) return;
    this.drop(slot);
    const waiting = this.slotsWait.get(slot);
    this.slotsWait.delete(slot);
    waiting?.forEach((wake) => wake());
  }

  breakFences(isLost: (slot: number) => boolean): void {
    for (const session of this.sessions) session.breakFences(isLost);
  }

  /** Takes a higher epoch than all that it knows, and announces it. */
  bump(): void {
    this.#raiseEpoch();
    this.cluster.announce(this);
  }

  /** Takes the claim of a node, from itself or another one; a sender that is behind is corrected. */
  hear({ node, epoch, primary, slots }: Claim, sender: ModelNode): void {
    if (node === this || epoch < this.epochs.get(node)!) return;
    this.epochs.set(node, epoch);
    this.primaries.set(node, primary);
    if (sender === node) this.failed.delete(node);
    if (primary !== null) return;
    const own = this.#shard;
    let lost = 0;
    for (const slot of slots) {
      const owner = this.owners.get(slot)!;
      // A slot that is being imported changes its owner by SETSLOT alone.
      if (owner === node || this.importing.has(slot)) continue;
      if (this.epochs.get(owner)! > epoch) {
        this.cluster.correct(this, sender, owner);
        continue;
      }
      if (owner === own) lost++;
      this.assign(slot, node);
    }
    if (lost === 0 || [...this.owners.values()].includes(own)) return;
    // A node that has lost all slots follows the new owner, and so do its replicas.
    if (this.isPrimary) this.demote(node);
    else this.follow(node);
  }

  /** Becomes the primary in place of its own. */
  promote(): void {
    const before = this.primaries.get(this)!;
    before.isReplaced = true;
    this.primaries.set(this, null);
    this.#raiseEpoch();
    for (const [slot, owner] of this.owners) {
      if (owner !== before) continue;
      this.owners.set(slot, this);
      this.cluster.noteTakeover(this, slot);
    }
    this.formerReplication = { id: this.replication.id, offset: this.replication.offset + 1 };
    this.replication = { id: this.cluster.newId(), offset: this.replication.offset };
    this.cluster.note(`${this.port} takes over from ${before.port}`);
    if (this.cluster.profile.breaksFencesAtPromotion) this.breakFences(() => true);
    for (const [key, value] of this.keys) {
      if (value.expiresAt !== null) this.#expireLater(key, value);
    }
    this.cluster.announce(this);
  }

  /** Becomes a replica of the node that took all its slots. */
  demote(primary: ModelNode): void {
    this.cluster.note(`${this.port} becomes a replica of ${primary.port}`);
    this.breakFences(() => true);
    this.importing.clear();
    this.migrating.clear();
    this.follow(primary);
    const waiting = this.writesWait;
    this.writesWait = null;
    waiting?.forEach((wake) => wake());
  }

  /** Follows another primary, whose keys it copies without an event. */
  follow(primary: ModelNode): void {
    this.isReplaced = false;
    this.primaries.set(this, primary);
    this.replication = { ...primary.replication };
    this.keys.clear();
    for (const [key, value] of primary.keys) this.put(key, value);
    this.cluster.announce(this);
  }

  /** The answer to `SSUBSCRIBE`, if the slot is another shard's; null if it is this one's. */
  shardOf(slot: number): Failure | null {
    const owner = this.owners.get(slot);
    if (owner === undefined) return new Failure("CLUSTERDOWN Hash slot not served");
    return owner === this.#shard ? null : new Failure(`MOVED ${slot} 127.0.0.1:${owner.port}`);
  }

  /** No two nodes have the same epoch: servers make an end of that before any slot changes its owner. */
  #raiseEpoch(): void {
    this.epochs.set(this, Math.max(...this.cluster.nodes.map(({ epoch }) => epoch)) + 1);
  }

  /** The primary of its shard. */
  get #shard(): ModelNode {
    return this.primaries.get(this) ?? this;
  }

  #expireLater(key: string, value: Value): void {
    const { clock, random } = this.cluster;
    const wait = Math.max(0, value.expiresAt! - clock.now) + random.below(20);
    clock.after(wait, () =>
      this.run(() => {
        if (this.keys.get(key) !== value || !this.isPrimary) return;
        const slot = this.cluster.slotOf(key);
        // A key of an atomic migration expires at the source alone, which repeats that at the target, and
        // nothing expires while writes wait.
        if (this.cluster.isCopied(this, slot) || this.waits(slot)) this.#expireLater(key, value);
        else this.#expire(key);
      }));
  }

  #expire(key: string): void {
    const slot = this.cluster.slotOf(key);
    // No client finds a key at a node that neither owns its slot nor is being given it.
    const isReachable = this.owns(slot) || this.importing.has(slot);
    const change = { key, value: null, events: ["expired"], repeated: ["del"] };
    this.change(change, "expiry", isReachable ? "real" : "either");
  }

  #replicate(change: Change): void {
    const { clock, random } = this.cluster;
    this.replication = { id: this.replication.id, offset: this.replication.offset + 100 };
    const { offset } = this.replication;
    for (const replica of this.cluster.nodes) {
      if (replica === this || replica.primaries.get(replica) !== this || !replica.isAlive) continue;
      const at = Math.max(this.#repeatedAt, clock.now + 0.1 + random.next());
      this.#repeatedAt = at;
      this.replicating++;
      clock.after(at - clock.now, () => {
        this.replicating--;
        replica.run(() => {
          if (replica.primaries.get(replica) !== this) return;
          replica.replication = { id: replica.replication.id, offset };
          replica.put(change.key, change.value);
          for (const type of change.repeated) {
            replica.emit(change.key, type, "artefact", "replication");
          }
        });
      });
    }
  }
}
