import {
  comesBeforeRestore,
  EventQueues,
  type FilterLimits,
  mustWait,
  unproven,
} from "./event_queues.ts";
import { Handovers } from "./handover.ts";
import { DEL, KeyMoves, RESTORE } from "./key_moves.ts";
import {
  type AskedNode,
  type Classification,
  type ClusterEvent,
  type HeldEvent,
  isWithinOneEpoch,
  keyOf,
  type Kind,
  type NodeReport,
  NodeStream,
} from "./node_stream.ts";
import { Proofs } from "./proofs.ts";

/** Decisions of a filter. */
export interface FilterEvents<Item> {
  /** Takes a decided item. Of each node they come in the order in which they were read. */
  decide(item: Item, classification: Classification): void;
  /** A node knows others than the topology does. */
  outdated(stream: NodeStream<Item>): void;
  /** A node is a replica now. */
  demoted(stream: NodeStream<Item>): void;
}

/**
 * Distinguishes the events of clients from those that only a slot migration causes, by the streams of
 * the nodes. It knows neither sockets nor clocks.
 *
 * A fence is a subscription to a shard channel of a slot: the node ends it in its stream at the moment
 * at which it stops owning the slot. `KeyMoves` decides which `del` and `restore` events `MIGRATE` made,
 * `Handovers` which events atomic migrations made, and `Proofs` knows what the nodes have proven. The
 * invariants, each with the end of the name of a property test of the cluster model that checks it:
 *
 * 1. Of one node, items are decided in the order in which they were read, each once (`while the client's
 *    process is paused now and then`).
 * 2. An event whose fence is held is an artefact only if it is the `del` or `restore` of a key of which
 *    another node emitted the opposite, and neither node had answered in between what was sent after the
 *    first of the two was read; and every node has proven that no other opposite comes (`while slots
 *    migrate by key, one after another`).
 * 3. A `del` or `restore` is real only if every node that may have emitted its opposite is heard, and has
 *    proven that none comes that belongs to no other. An opposite that is uncertain, or that an atomic
 *    migration made which is over, leaves it uncertain (`while slots migrate by key at once and are
 *    aborted`). Of a few slots, only some nodes are heard: then a `del` is real if its node owns the slot
 *    afterwards, and hands it over to nobody or to a node that is heard (`while they migrate by key at
 *    once`).
 * 4. An event without a fence is an artefact only in these cases:
 *    - The node is a replica, and had ended all its fences before the event. That of the slot was one of
 *      them, or the node has reported since. No atomic migration can have brought it the slot meanwhile
 *      (`while replicas take over on command`).
 *    - An atomic migration to the node runs, and its source proves afterwards that it still owns the slot.
 *      The source has owned it since before the last proof of the node, or the migration is known to have
 *      run before the event (`while slots migrate atomically at once and are aborted`).
 *    - It stands before the repetition of the source's last event, in the same migration. That has begun
 *      since the source owned the slot (`while slots migrate atomically, one after another`).
 *    - An atomic migration brought the slot. Afterwards the node did not own a slot of the migration, and
 *      it owns this one now. The epoch has risen too little for it to have lost one in between (`while
 *      slots migrate atomically, far apart`).
 *    - It is such a `restore` or `del` as in 2.
 * 5. Events of a slot that a node gains wait until the other nodes have answered, so that the gap of an
 *    earlier owner comes first (`while primaries are killed and hang`).
 * 6. What may be an artefact and is not proven to be one is `maybe`; the rest is real (`while slots migrate
 *    by key, far apart`).
 * 7. Nothing waits longer than `hold`, and no more than the limits; then it is decided by 6 (`whatever
 *    happens while connections break and stall`).
 */
export class MigrationFilter<Item> {
  /** What the nodes have proven. */
  readonly proofs: Proofs<Item> = new Proofs();
  readonly #events: FilterEvents<Item>;
  /** What waits, and how many items were decided how. */
  readonly queues: EventQueues<Item>;
  /** Which `del` and `restore` events belong to one migration of a key. */
  readonly #keyMoves: KeyMoves<Item>;
  /** Slots that atomic migrations may bring to a node. */
  readonly #handovers: Handovers<Item>;
  /** Slots whose events came from nodes without fences that do not own them. */
  readonly #moving = new Set<number>();
  /** Slots that a node gained while others were heard, and the place of that. */
  readonly #gained = new Map<number, number>();
  #ownerOf: (slot: number) => string | null = () => null;
  #order = 0;

  constructor(events: FilterEvents<Item>, limits: FilterLimits = {}) {
    this.#events = events;
    const classifier = {
      kindOf: (event: HeldEvent<Item>) => this.#kindOf(event),
      outdated: (stream: NodeStream<Item>) => events.outdated(stream),
      classify: (event: HeldEvent<Item>) => this.#classify(event),
      finish: (event: HeldEvent<Item>) => this.#keyMoves.finish(event),
      decide: (item: Item, classification: Classification) => events.decide(item, classification),
    };
    this.#keyMoves = new KeyMoves(this.proofs, classifier, limits.items);
    this.#handovers = new Handovers(this.proofs, this.#keyMoves, () => ++this.#order);
    this.queues = new EventQueues(classifier, this.proofs, limits);
  }

  /** The place in the order of what was read last. */
  get order(): number {
    return this.#order;
  }

  /**
   * Takes a topology over. It decides only which nodes have to prove something.
   *
   * @param primaries the ids of all nodes to which a slot may migrate
   * @param known the number of nodes in it
   * @param ownerOf the id of a slot's owner; used for nodes without fences alone
   */
  setTopology(
    primaries: ReadonlySet<string>,
    known: number,
    ownerOf: (slot: number) => string | null,
  ): void {
    this.proofs.setTopology(primaries, known);
    this.#ownerOf = ownerOf;
    this.#moving.clear();
    this.queues.settle();
  }

  /** Begins the stream of a connection to a primary. What waits of an earlier one comes first. */
  open(node: AskedNode): NodeStream<Item> {
    const stream = new NodeStream<Item>(node, this.#order, this.proofs.epoch);
    this.queues.open(stream);
    this.proofs.open(stream);
    return stream;
  }

  /** All desired events arrive from a node from now on. */
  heard(stream: NodeStream<Item>): void {
    this.proofs.heard(stream, ++this.#order);
    this.queues.settle();
  }

  /** The connection of a stream is over. What only other nodes can prove still waits. */
  close(stream: NodeStream<Item>): void {
    if (!stream.isOpen) return;
    stream.isOpen = false;
    for (const event of stream.waiting()) {
      if (!event.isOwn) {
        event.classification ??= stream.isReplica ? repeated(event) : unproven(event);
      }
    }
    this.#handovers.close(stream);
    this.proofs.close(stream);
    this.queues.settle();
  }

  /**
   * Takes an event of a node, once, however many subscriptions it matched.
   *
   * @param slot the hash slot of its key
   * @param event its name, database and key
   * @param item what comes out with the classification
   * @param at when it was read, in ms by a clock that is never set back
   * @param bytes what it counts against the limit of what waits
   */
  event(
    stream: NodeStream<Item>,
    slot: number,
    event: ClusterEvent,
    item: Item,
    at: number,
    bytes: number,
  ): void {
    const fenced = stream.holds(slot);
    const { eventType: type } = event;
    const isSettled = this.#gained.size === 0 || !this.#gained.has(slot);
    if (stream.queue.length === 0 && fenced && isSettled && !mustWait(type)) {
      stream.last = null;
      if (this.#handovers.size > 0) this.#handovers.record(stream, slot, event);
      return this.#events.decide(item, "real");
    }
    if (stream.isFenceless) {
      stream.last = null;
      stream.lastClassification = this.#classifyFenceless(stream, slot);
      return this.queues.decide(item, stream.lastClassification);
    }
    if (fenced && this.#handovers.size > 0) this.#handovers.record(stream, slot, event);
    const held: HeldEvent<Item> = {
      stream,
      slot,
      type,
      key: keyOf(event),
      items: [item],
      order: ++this.#order,
      at,
      bytes,
      provenOrder: stream.provenOrder,
      epoch: stream.epoch,
      isOwn: fenced,
      ended: fenced ? null : stream.ended,
      sentTo: stream.sends.get(slot) ?? null,
      owns: null,
      answeredAt: 0,
      classification: null,
      isDone: false,
      after: null,
    };
    this.queues.push(held);
    if (type === DEL || type === RESTORE) this.#keyMoves.add(held);
    if (!fenced) this.#begin(held);
    this.queues.settle();
  }

  /** Takes another message of the last event of a node; it gets the same classification. */
  more(stream: NodeStream<Item>, item: Item): void {
    const { last } = stream;
    if (last === null) return this.queues.decide(item, stream.lastClassification);
    if (last.isDone) this.queues.decide(item, last.classification!);
    else last.items.push(item);
  }

  /**
   * Makes a call once everything that was taken of a node is decided. Of several calls for which the
   * same event waits, only the first is made.
   */
  mark(stream: NodeStream<Item>, call: () => void): void {
    const last = stream.queue.at(-1);
    if (last === undefined) call();
    else last.after ??= call;
  }

  /**
   * A node has answered whether it owns a slot.
   *
   * @param order the place in the order at which the answer was read; later events may have come since
   */
  fenced(stream: NodeStream<Item>, slot: number, owns: boolean, order: number = this.#order): void {
    stream.asked.delete(slot);
    stream.setFence(slot, owns, order);
    if (!owns) stream.deniedOrders.set(slot, order);
    if (owns && stream.heardOrder !== Infinity) this.#gained.set(slot, order);
    for (const event of stream.foreign(slot)) {
      if (event.owns !== null) continue;
      if (event.order <= order) {
        event.owns = owns;
        event.answeredAt = order;
      } else if (owns) event.isOwn = true;
      else this.proofs.wantFence(stream, slot);
    }
    this.queues.settle();
    if (owns) this.#handovers.forget(stream, slot);
  }

  /** A node has stopped owning a slot at this place of its stream. */
  released(stream: NodeStream<Item>, slot: number): void {
    stream.setFence(slot, false, ++this.#order);
    this.#handovers.released(stream, slot);
    // It may have been demoted.
    if (stream.fenceCount === 0) this.proofs.wantReport(stream, this.#order);
    this.queues.settle();
    this.#handovers.forget(stream, slot);
  }

  /** A node accepts no fences, or none are desired: nothing of it is held back from now on. */
  withoutFences(stream: NodeStream<Item>): void {
    stream.isFenceless = true;
    for (const event of stream.waiting()) event.classification ??= unproven(event);
    this.queues.settle();
  }

  /** A ping was sent to a node just now. */
  pingSent(stream: NodeStream<Item>): void {
    stream.sendPing(this.#order, this.proofs.epoch);
  }

  /** The ping was answered at this place of the node's stream. */
  proven(stream: NodeStream<Item>): void {
    stream.answerPing();
    this.proofs.account();
    this.#keyMoves.dropUnpaired();
    const needed = [
      this.proofs.everyOrder,
      this.#keyMoves.neededOrder,
      this.proofs.neededOf(stream),
    ];
    this.proofs.wantProof(stream, Math.max(...needed));
    const { movesOrder } = stream;
    if (movesOrder !== Infinity && this.proofs.wantProof(stream, movesOrder)) {
      stream.confirmMoves(this.#order);
    }
    this.queues.settle();
  }

  /** A node was asked for a report just now. */
  reportAsked(stream: NodeStream<Item>): void {
    stream.reportAsked = this.#order;
  }

  /** A node has reported. */
  reported(stream: NodeStream<Item>, report: NodeReport): void {
    stream.reportOrder = stream.reportAsked ?? this.#order;
    stream.reportAsked = null;
    // A ping that was sent before this may have been answered before the node reported.
    stream.takeReport(report, ++this.#order);
    if (stream.movesOrder === this.#order) this.proofs.wantProof(stream, this.#order);
    this.proofs.noteEpoch(report.epoch, this.#order);
    this.#handovers.reported(stream);
    if (report.role === "replica") {
      stream.isReplica = true;
      this.#events.demoted(stream);
    } else if (stream.reportOrder >= (stream.ended?.order ?? 0)) stream.ended = null;
    this.queues.settle();
  }

  /** A node has said what the epoch of the cluster is; null if it does not say. */
  noteEpoch(epoch: number | null): void {
    this.proofs.noteEpoch(epoch, ++this.#order);
  }

  /** A node could not be asked for a report; it is asked again if that is still needed. */
  unreported(stream: NodeStream<Item>): void {
    stream.reportAsked = null;
    this.queues.settle();
  }

  /** Says what an event is, or asks for what is missing to say it, and returns null. */
  #classify(event: HeldEvent<Item>): Classification | null {
    const { stream } = event;
    const gained = this.#gained.get(event.slot);
    if (gained !== undefined && stream.holds(event.slot)) {
      // What is missing of an earlier owner is reported before.
      if (!this.proofs.isProvenBeside(stream, gained)) return null;
      this.#gained.delete(event.slot);
    }
    const kind = this.#kindOf(event);
    if (kind !== "own" && kind !== "by-key") return kind;
    if (event.type === DEL || event.type === RESTORE) {
      return this.#keyMoves.classify(event, kind === "own");
    }
    if (comesBeforeRestore(event.type)) return this.#classifyBeforeRestore(event);
    return "real";
  }

  /**
   * Says of an event without a fence what it is, or that its slot migrates key by key: then clients are
   * served by its node already.
   */
  #kindOf(event: HeldEvent<Item>): Kind | null {
    const { stream } = event;
    if (event.isOwn) return "own";
    const isAnswered = event.owns !== null;
    if (!isAnswered) this.proofs.wantFence(stream, event.slot);
    const { report } = stream;
    if (!this.proofs.wantReport(stream, event.order) || !isAnswered) return null;
    const { role, moves } = report!;
    if (role === "replica") {
      const classification = repeated(event);
      if (classification === "artefact") this.#keyMoves.delete(event);
      return classification;
    }
    if (moves === null || event.ended !== null) return "maybe";
    const incoming = stream.movesOf(event.slot, event.order);
    if (incoming.length === 0) {
      this.#handovers.delete(stream, event.slot);
      return "by-key";
    }
    // Of several nobody knows which of them copied what.
    return incoming.length > 1 ? "maybe" : this.#handovers.classify(event, incoming[0]!);
  }

  /** What comes before a `restore` of the same key, for the same command, is what that one is. */
  #classifyBeforeRestore(event: HeldEvent<Item>): Classification | null {
    const { stream } = event;
    const next = stream.queue[stream.queue.indexOf(event, stream.head) + 1];
    if (next === undefined) {
      if (!this.proofs.wantProof(stream, event.order)) return null;
      // The connection may have broken before the `restore`.
      return stream.isOpen ? "real" : "maybe";
    }
    if (next.key !== event.key || !mustWait(next.type) || next.type === DEL) return "real";
    next.classification ??= this.#classify(next);
    return next.classification;
  }

  #classifyFenceless({ id }: NodeStream<Item>, slot: number): Classification {
    if (this.#ownerOf(slot) === id) return this.#moving.has(slot) ? "maybe" : "real";
    this.#moving.add(slot);
    return "maybe";
  }

  /** The first event of a slot at a node that does not own it: what its owner emits has to be known. */
  #begin(event: HeldEvent<Item>): void {
    const { stream, slot, order } = event;
    stream.visited.add(slot);
    this.proofs.wantFence(stream, slot);
    this.proofs.wantReport(stream, order);
    this.#handovers.begin(event);
  }
}

/**
 * The classification of an event without a fence of a node that is a replica. It has been one since it ended its
 * last fence, unless it gained a slot meanwhile and lost it: each of both raises the epoch.
 */
function repeated(event: HeldEvent<unknown>): Classification {
  const { ended, order, stream: { report, reportReadOrder } } = event;
  const isProven = ended !== null && order <= reportReadOrder &&
    isWithinOneEpoch(ended.epoch, report!.epoch);
  return isProven ? "artefact" : "maybe";
}
