import { Asking } from "./asking.ts";
import { noteFirst } from "./incoming_slot.ts";
import { type Court, judge } from "./judge.ts";
import { HeldEvent, NodeState, type Verdict } from "./node_state.ts";
import type { ClusterEvent, NodeStream } from "./node_stream.ts";
import { RecentEvents } from "./recent_events.ts";
import type { OwnershipOptions, OwnershipSink } from "./ownership_options.ts";
import { endCommand, follow } from "./same_command.ts";
import { SlotMoves } from "./slot_moves.ts";
import type { Topology } from "./discovery/topology.ts";

export type { OwnershipOptions, OwnershipSink } from "./ownership_options.ts";
export type { Verdict } from "./node_state.ts";

/** How long slots from which nothing comes are taken for on the move, in ms. */
const LINGER = 2_000;
/** How long a node's word is believed against that of others, in ms: it learns late what it lost. */
const RECHECK = 100;

/**
 * Whose event is it? A slot that moves makes phantom events, by which nothing happened to the key.
 *
 * It decides by what nodes say of themselves in the same stream as their events, so that the order
 * of things is known, and by what the node a slot comes from has sent; by the topology only until
 * a node has spoken. It has no clock, no timer and no socket: time is handed in, and questions go
 * out. Whatever is not certainly a phantom is to be delivered.
 *
 * - A slot comes **as a whole** (`CLUSTER MIGRATION IMPORT`, `CLUSTER MIGRATESLOTS`): its new node
 *   copies each key and repeats each write before it owns the slot: phantoms. Copies and repetitions
 *   may come in one burst with the change of ownership, so those that came after the node last said
 *   that it does not own the slot are laid against what the source sent.
 * - A slot comes **key by key** (`CLUSTER SETSLOT`, `MIGRATE`): a `restore` at the new node and a
 *   `del` at the old one are both phantoms; all else at the new node is real, as clients are sent
 *   there for keys that have moved.
 *
 * @example
 * ```ts
 * import { hashSlot, Ownership, type Question, type Topology } from "@keywatch/keywatch/cluster";
 * import type { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * declare const topology: Topology;
 * declare function put(question: Question): void;
 * declare function reconnect(node: string): void;
 *
 * const ownership = new Ownership<KeyNotification>({
 *   decide: (notification, verdict) => {
 *     if (verdict !== "phantom") console.log(notification.eventType, notification.key);
 *   },
 *   ask: put,
 *   renew: reconnect,
 * });
 * ownership.setTopology(topology);
 * const stream = ownership.open("07c37dfeb235213a872192d90877d0cd55635b91");
 * function onNotification(notification: KeyNotification): void {
 *   const slot = hashSlot(notification.keyBytes);
 *   stream.event(slot, notification, notification, { at: notification.timestamp, bytes: 100 });
 * }
 * ```
 */
export class Ownership<Item> {
  readonly #sink: OwnershipSink<Item>;
  readonly #options: Required<OwnershipOptions>;
  readonly #asking: Asking;
  readonly #moves: SlotMoves;
  readonly #waiting = new Set<NodeState>();
  #held = 0;
  #heldBytes = 0;
  #isAdvancing = false;
  readonly #court: Court;
  #phantoms = 0;
  #uncertain = 0;

  /**
   * Knows nothing yet: without a topology nobody owns any slot.
   *
   * @param sink takes verdicts and questions
   * @param options limits
   */
  constructor(sink: OwnershipSink<Item>, options: OwnershipOptions = {}) {
    const { maxWait = 1_000, settle = 1, maxHeld = 50_000, maxHeldBytes = 2 ** 24 } = options;
    this.#sink = sink;
    this.#options = { maxWait, settle, maxHeld, maxHeldBytes };
    this.#asking = new Asking(
      (question) => sink.ask(question),
      {
        onView: (node, view, upTo, from, { at }) => {
          if (view.role === "replica") this.#noteReplica(node, at);
          else if (view.role === "primary" && node.replicaAt !== null) return this.#renew(node);
          this.#moves.hear(node, view, upTo, from, this.#court.now);
        },
        onMoves: (node, moves, stats, { position }) => {
          node.beginning = { emptied: stats?.emptied ?? null, position: node.position };
          if (moves !== null) this.#moves.hearMoves(node, moves, position, node.position);
        },
        onKeys: (_, keys, asked) => this.#moves.hearKeys(keys, asked),
        onHeard: () => this.#advance(),
      },
      () => this.#moves.takingNodes,
      () => this.#court.now,
    );
    this.#moves = new SlotMoves(this.#asking);
    const recent = new RecentEvents();
    this.#court = { moves: this.#moves, asking: this.#asking, recent, settle, now: 0 };
  }

  /** Events that were phantoms, so far. */
  get phantoms(): number {
    return this.#phantoms;
  }

  /** Events that nobody could tell from phantoms, so far. */
  get uncertain(): number {
    return this.#uncertain;
  }

  /** Events that wait for their verdict, or behind one that does. */
  get held(): number {
    return this.#held;
  }

  /** Bytes of those events. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * When {@linkcode Ownership.tick} has something to do even if nothing else happens.
   *
   * @returns by the clock of the events, not before the last time it was told; or null for never
   */
  get deadline(): number | null {
    let deadline = Infinity;
    const { settle, maxWait } = this.#options;
    for (const { queue: [head] } of this.#waiting) {
      if (head === undefined) continue;
      const settled = head.rule !== "none" && head.type === "del" &&
        head.at + settle > this.#court.now;
      deadline = Math.min(deadline, head.at + (settled ? settle : maxWait));
    }
    if (this.#moves.takers.size > 0) deadline = Math.min(deadline, this.#court.now + LINGER);
    if (this.#moves.isDisputed) deadline = Math.min(deadline, this.#court.now + RECHECK);
    return deadline === Infinity ? null : Math.max(deadline, this.#court.now);
  }

  /**
   * Whether another node that lost all its slots still claims some that the topology gives to this
   * one. Such a node becomes a replica, and repeats what this one does; until it says that it is one,
   * which will be soon, that passes for its own. So this one is not to be listened to before; nor
   * while the topology does not name it as a primary, or leaves open which of two is, because then
   * nobody knows whose slots they are.
   *
   * @param id the node's id
   */
  isContested(id: string): boolean {
    const { topology, nodes } = this.#moves;
    if (topology === null || nodes.size === 0) return false;
    const isPrimary = topology.primaries.some((primary) => primary.id === id);
    if (!isPrimary || topology.contenders.has(id)) return true;
    return [...nodes.values()].some((node) =>
      node.id !== id && topology.nodes.get(node.id)?.health !== "failed" &&
      topology.slotsOf(node.id).length === 0 && this.#says(node, true, id)
    );
  }

  /**
   * Since when nothing of a node counts, because it said that it is a replica, although the topology
   * gives it slots; by the clock of the events. Null while it does not say so.
   *
   * @param id the node's id
   */
  replicaSince(id: string): number | null {
    const { topology, nodes } = this.#moves;
    const node = nodes.get(id);
    return node !== undefined && topology?.slotsOf(id).length ? node.replicaAt : null;
  }

  /** Whether some node has said that it does not own what the topology gives to it. */
  get isDenied(): boolean {
    return [...this.#moves.nodes.values()].some((node) => this.#says(node, false, node.id));
  }

  /** Whether a node that answers says that it owns, or not, some slot that the topology gives to one. */
  #says(node: NodeState, owned: boolean, id: string): boolean {
    if (node.unanswerable.view > (node.told?.order ?? -1)) return false;
    for (const [slot, owns] of node.words) {
      if (owns === owned && this.#moves.topology?.ownerOf(slot)?.id === id) return true;
    }
    return false;
  }

  /**
   * Takes a new topology over; nodes it concerns are asked for their own word.
   *
   * @param topology who owns what
   * @param now the time, by the same clock as the times of events
   */
  setTopology(topology: Topology, now = 0): void {
    this.#court.now = Math.max(this.#court.now, now);
    this.#moves.setTopology(topology);
    this.#advance();
  }

  /**
   * Begins a node's stream: one connection's events from here on. An earlier stream of the node is
   * closed.
   *
   * @param id the node's id
   * @param tellsAll whether the stream is known to tell, in a family of channels and a database, of all
   * that happens to a key of which it tells something: the node's `notify-keyspace-events` lets events
   * of every class through, and they are subscribed to, as with `__keyspace@…__:<key>` they always are
   * @returns what its events are handed to
   */
  open(
    id: string,
    tellsAll: (kind: string, database: number) => boolean = () => false,
  ): NodeStream<Item> {
    const earlier = this.#moves.nodes.get(id);
    if (earlier !== undefined) this.#close(earlier);
    const node = new NodeState(id, tellsAll);
    this.#moves.nodes.set(id, node);
    this.#asking.wantMoves(node);
    return {
      id,
      get position() {
        return node.position;
      },
      event: (slot, event, item, { at, bytes }) => this.#event(node, slot, event, item, at, bytes),
      more: (item) => this.#more(node, item),
      pass: (item) => this.#pass(node, item),
      close: () => this.#close(node),
    };
  }

  /**
   * What is subscribed has changed at a node: that something was not heard before proves nothing.
   */
  resubscribed(): void {
    this.#moves.hearAnew();
    this.#court.recent.clear();
  }

  /**
   * Time has passed.
   *
   * @param now by the same clock as the times of events
   */
  tick(now: number): void {
    this.#court.now = Math.max(this.#court.now, now);
    const idle = this.#moves.idle(now - LINGER, now);
    const disputed = this.#moves.disputed(now - RECHECK, now);
    for (const node of [...idle, ...disputed]) this.#asking.wantView(node, true);
    this.#advance();
  }

  #event(
    node: NodeState,
    slot: number,
    event: ClusterEvent,
    item: Item,
    at: number,
    bytes: number,
  ): void {
    if (!node.isOpen) return;
    const position = ++node.position;
    const { takers, topology, nodes } = this.#moves;
    if (nodes.size > 1) this.#court.recent.push(node, slot, event, bytes);
    const owns = node.words.get(slot) ?? topology?.ownerOf(slot)?.id === node.id;
    const isMoving = takers.has(slot) || node.migrating.has(slot);
    const mayDelete = isMoving || this.#options.settle > 0 && nodes.size > 1;
    const isDeletion = mayDelete && event.eventType === "del";
    if (owns && !isMoving && !isDeletion) {
      endCommand(node);
      this.#passOn(node, item, bytes, at);
      return;
    }
    this.#court.now = Math.max(this.#court.now, at);
    const order = this.#asking.nextOrder();
    const held = new HeldEvent({
      item,
      event,
      bytes,
      at,
      order,
      position,
      slot,
      rule: !owns ? "foreign" : isDeletion ? "deletion" : "none",
      incoming: owns ? null : this.#moves.take(node, slot, order, at),
    });
    if (held.rule === "none") endCommand(node);
    else follow(node, held);
    this.#hold(node, held);
    // With no slot on the move, only time tells of a deletion. That it is not looked at, nor its key,
    // takes 230 ns in place of 1,570 for an event where half of them delete.
    if (!isMoving && owns) return;
    if (!owns || takers.has(slot)) {
      const { kind, type, key } = held;
      node.log.push({ position, slot, kind, type, key });
    }
    if (held.incoming !== null) {
      noteFirst(held.incoming, held);
      held.incoming.held++;
    }
    judge(this.#court, node, held);
    this.#advance();
  }

  #more(node: NodeState, item: Item): void {
    if (!node.isOpen) return;
    const last = node.queue.at(-1);
    if (last === undefined) this.#decide(item, node.lastVerdict);
    else last.items.push(item);
  }

  #pass(node: NodeState, item: Item): void {
    this.#passOn(node, item, 0, this.#court.now);
  }

  /** Hands something on that is not in question, behind what waits. */
  #passOn(node: NodeState, item: Item, bytes: number, at: number): void {
    if (node.queue.length === 0) {
      node.lastVerdict = "real";
      this.#decide(item, "real");
      return;
    }
    this.#hold(
      node,
      new HeldEvent({
        item,
        event: null,
        bytes,
        at,
        order: -1,
        position: node.position,
        slot: -1,
        rule: "none",
        incoming: null,
      }),
    );
  }

  #hold(node: NodeState, event: HeldEvent): void {
    node.queue.push(event);
    this.#waiting.add(node);
    this.#held++;
    this.#heldBytes += event.bytes;
    node.list(event);
    const { maxHeld, maxHeldBytes } = this.#options;
    while ((this.#held > maxHeld || this.#heldBytes > maxHeldBytes) && node.queue.length > 0) {
      this.#release(node, node.queue[0]!.verdict ?? "uncertain");
    }
  }

  /** Hands on whatever has its verdict, in the order of each stream. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    try {
      // A verdict on one node's event may settle another's.
      for (let goesOn = true; goesOn;) {
        goesOn = false;
        for (const node of this.#waiting) {
          for (let head = node.queue[0]; head !== undefined; head = node.queue[0]) {
            let verdict = judge(this.#court, node, head);
            if (verdict === null && head.at + this.#options.maxWait <= this.#court.now) {
              verdict = "uncertain";
            }
            if (verdict === null) break;
            this.#release(node, verdict);
            goesOn = true;
          }
        }
      }
    } finally {
      this.#isAdvancing = false;
    }
  }

  #release(node: NodeState, verdict: Verdict): void {
    const event = node.queue.shift()!;
    event.verdict = verdict;
    if (node.queue.length === 0) this.#waiting.delete(node);
    this.#held--;
    this.#heldBytes -= event.bytes;
    node.unlist(event);
    const { incoming } = event;
    if (incoming !== null && --incoming.held === 0 && incoming.grant !== null) {
      this.#moves.drop(node, incoming);
    }
    node.lastVerdict = verdict;
    for (const item of event.items) this.#decide(item as Item, verdict);
  }

  #decide(item: Item, verdict: Verdict): void {
    if (verdict === "phantom") this.#phantoms++;
    if (verdict === "uncertain") this.#uncertain++;
    this.#sink.decide(item, verdict);
  }

  #noteReplica(node: NodeState, at: number): void {
    // As long as the topology gives it slots, it may be that nobody tells what it only repeats.
    const ownsSome = (this.#moves.topology?.slotsOf(node.id).length ?? 0) > 0;
    if (node.replicaAt === null || !ownsSome) node.replicaAt = at;
  }

  /** What it sent as a primary began at a place that nobody knows. */
  #renew(node: NodeState): void {
    for (const event of node.queue) if (event.rule === "foreign") event.verdict ??= "phantom";
    this.#close(node);
    this.#sink.renew(node.id, node.replicaAt!);
  }

  #close(node: NodeState): void {
    if (!node.isOpen) return;
    node.isOpen = false;
    if (this.#moves.nodes.get(node.id) === node) this.#moves.nodes.delete(node.id);
    this.#asking.forget(node);
    // A replica, which others do not take for a primary either, repeats what its primary does.
    const isReplica = node.told?.view.role === "replica" &&
      !this.#moves.topology?.primaries.some(({ id }) => id === node.id);
    const verdict = isReplica ? "phantom" : "uncertain";
    while (node.queue.length > 0) {
      const [head] = node.queue;
      this.#release(node, head!.verdict ?? (head!.rule === "foreign" ? verdict : "uncertain"));
    }
    for (const incoming of node.incoming.values()) this.#moves.drop(node, incoming);
    this.#advance();
  }
}
