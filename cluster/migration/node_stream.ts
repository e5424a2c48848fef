import { byteText } from "../../bytes/byte_text.ts";
import { includesSlot, type SlotRange, SLOTS } from "../discovery/slot.ts";

/** The parts of an event that decide what it is; a notification has them. */
export interface ClusterEvent {
  /** The event's name, as the server sends it. */
  readonly eventType: string;
  /** The number of the database. */
  readonly database: number;
  /** The key. Read only of events that have to wait. */
  readonly keyBytes: Uint8Array;
}

/** Whether an event is certainly a client's, certainly an artefact, or perhaps one. */
export type Classification = "real" | "artefact" | "maybe";

/**
 * What an event is before its neighbours are considered: by its node as the owner of the slot, or by the
 * target of a migration key by key, which serves clients already; or its classification.
 */
export type Kind = Classification | "own" | "by-key";

/** An atomic migration in which a node takes part. */
export interface SlotMove {
  /** Its name on the server. */
  readonly id: string;
  /** The slots. */
  readonly slots: readonly SlotRange[];
  /** The id of the node that they leave; null if the server does not say. */
  readonly source: string | null;
  /** Whether they come to the node that lists it, or leave it. */
  readonly direction: "in" | "out";
  readonly state: "running" | "succeeded" | "failed";
}

/** The answer of a node to the question what it is and what it does. */
export interface NodeReport {
  /** The node's role; null if it does not say. */
  readonly role: "primary" | "replica" | null;
  /** The id of the primary that a replica follows; null if it does not say. */
  readonly primary: string | null;
  /** The number of nodes that it knows; null if it does not say. */
  readonly known: number | null;
  /** The current epoch of the cluster, as far as it knows; null if it does not say. */
  readonly epoch: number | null;
  /** Its own epoch; null if it does not say. A node that takes a slot over gets the highest. */
  readonly ownEpoch: number | null;
  /** The slots that it owns; null if it was not asked or does not say. */
  readonly slots: readonly SlotRange[] | null;
  /** The slots that it takes in key by key; null if it was not asked or does not say. */
  readonly importing: ReadonlySet<number> | null;
  /** The slots that it hands over key by key, and to whom; null if it was not asked or does not say. */
  readonly sends: ReadonlyMap<number, string> | null;
  /** Atomic migrations in which it takes part; null if it does not say. */
  readonly moves: readonly SlotMove[] | null;
}

/** An atomic migration to a node, as far as it has said. Each number is a place in the order. */
export interface IncomingMove extends SlotMove {
  /** It began after this: a list without it was asked for here; -1 if there was none. */
  readonly begunAfter: number;
  /** It is certain to run since; Infinity while that is not known. */
  runsSince: number;
  /** It is certain to be over since; Infinity while that is not known. */
  overSince: number;
  /** Between which places the node has taken the slots over, found once; null before. */
  takeover: TakeoverPlaces | null;
}

/** The places in the order between which a node has taken slots over. */
export interface TakeoverPlaces {
  readonly after: number;
  readonly before: number;
}

/** The end of all fences of a node, as one ends them that is demoted. */
export interface Ending {
  /** Its place in the order. */
  readonly order: number;
  /** The epoch of the cluster at some time before it; null if that is not known. */
  readonly epoch: number | null;
}

/** An event that waits, and all messages of it. */
export interface HeldEvent<Item> {
  readonly stream: NodeStream<Item>;
  readonly slot: number;
  readonly type: string;
  /** Database and key. */
  readonly key: string;
  readonly items: Item[];
  /** Its place in the order in which events of all nodes were read. */
  readonly order: number;
  /** When it was read, in ms by the filter's clock. */
  readonly at: number;
  readonly bytes: number;
  /** What its node had proven when it was read. */
  readonly provenOrder: number;
  /** The epoch of the cluster at some time before it; null if that is not known. */
  readonly epoch: number | null;
  /** The end of its node's last fence, if the node may be a replica since; null if it is none. */
  readonly ended: Ending | null;
  /** To which node its node handed the slot's keys over when it was last asked; null if to none. */
  readonly sentTo: string | null;
  /** Whether the node certainly owned the slot: it held the fence, or had taken the slot over by then. */
  isOwn: boolean;
  /** Whether the node owned the slot when it answered first after this event. */
  owns: boolean | null;
  /** The place in the order at which that answer was read. */
  answeredAt: number;
  classification: Classification | null;
  /** Whether it was handed out. */
  isDone: boolean;
  /** Called after it was handed out; null if nothing is to be. */
  after: (() => void) | null;
}

/** Classifies events that wait, and takes what was found out. */
export interface EventClassifier<Item> {
  /** Says what an event is before its neighbours are considered; null while that is not known. */
  kindOf(event: HeldEvent<Item>): Kind | null;
  /** Says what an event is, or asks for what is missing to say it, and returns null. */
  classify(event: HeldEvent<Item>): Classification | null;
  /** An event is classified, and about to be handed out. */
  finish(event: HeldEvent<Item>): void;
  /** Takes a classified item. Of each node they come in the order in which they were read. */
  decide(item: Item, classification: Classification): void;
  /** A node knows others than the topology does. */
  outdated(stream: NodeStream<Item>): void;
}

/** The node of a stream, which is asked for what is missing. */
export interface AskedNode {
  readonly id: string;
  /** Asks for the fence of a slot; `MigrationFilter.fenced` takes the answer. */
  fence(slot: number): void;
  /** Sends a ping; `MigrationFilter.pingSent` and `proven` follow. */
  ping(): void;
  /** Asks for a report; `MigrationFilter.reportAsked` and `reported` follow. */
  report(): void;
}

/** One connection to one primary: its fences, its events that wait, and what it has proven. */
export class NodeStream<Item> {
  readonly id: string;
  readonly node: AskedNode;
  /** One bit for each slot whose fence is held. */
  readonly #fences = new Uint8Array(SLOTS / 8);
  /** The place from which on fences are held: those set first, and each that was set later. */
  #firstFence = 0;
  readonly #laterFences = new Map<number, number>();
  /** The places at which it answered last that it does not own a slot. */
  readonly deniedOrders: Map<number, number> = new Map();
  /** Slots of which it emitted events without owning them. */
  readonly visited: Set<number> = new Set();
  /** Slots whose fence was asked for and not answered yet. */
  readonly asked: Set<number> = new Set();
  /** Events that wait, those of earlier connections first; those before `head` have been decided. */
  queue: HeldEvent<Item>[] = [];
  head = 0;
  /** Those of them that came on this connection without a fence, by slot. */
  readonly #foreign = new Map<number, HeldEvent<Item>[]>();
  /** Every event that the node emitted before this place in the order has been read. */
  provenOrder: number;
  /** Up to this place others have to prove what they emitted before its first event is decided. */
  neededOrder = -1;
  /** The place from which on all desired events arrive from the node. */
  heardOrder: number = Infinity;
  /** The place at which the ping under way was sent; null while none is. */
  pingOrder: number | null = null;
  /** The epoch of the cluster at some time before that; null if that is not known. */
  #pingEpoch: number | null = null;
  /** The report holds for every event before this place in the order. */
  reportOrder = -1;
  /** The place at which the report under way was asked for; null while none is. */
  reportAsked: number | null = null;
  report: NodeReport | null = null;
  /** The slots that it hands over key by key, and to whom, as far as it has said. */
  sends: ReadonlyMap<number, string> = new Map();
  /** The place at which that was read. */
  reportReadOrder = -1;
  /** The place at which the last list of migrations was asked for; -1 if there was none. */
  #listOrder = -1;
  /** The atomic migrations to it that it listed last, by id. */
  #moves: ReadonlyMap<string, IncomingMove> = new Map();
  /** Once the node has proven this place, what it has listed is certain for what follows. */
  movesOrder: number = Infinity;
  /** The epoch of the cluster at some time before what comes now; null if that is not known. */
  epoch: number | null;
  /** Whether the server accepts no fences, or none are desired. */
  isFenceless = false;
  isOpen = true;
  /** Whether the node is a replica now. */
  isReplica = false;
  /** The end of its last fence; null if it has said since that it is a primary. */
  ended: Ending | null = null;
  /** The event that came last, for further messages of it; null if it did not have to wait. */
  last: HeldEvent<Item> | null = null;
  /** The classification of that event if it did not have to wait. */
  lastClassification: Classification = "real";
  fenceCount = 0;

  /**
   * @param order the place at which it begins: what the node emitted before is not to come
   * @param epoch the epoch of the cluster at some time before; null if that is not known
   */
  constructor(node: AskedNode, order: number, epoch: number | null = null) {
    this.id = node.id;
    this.node = node;
    this.provenOrder = order;
    this.epoch = epoch;
  }

  /** Whether the node certainly owns a slot at this place of its stream. */
  holds(slot: number): boolean {
    return (this.#fences[slot >> 3]! & (1 << (slot & 7))) !== 0;
  }

  /** The place from which on the node certainly owned a slot whose fence it holds. */
  heldSince(slot: number): number {
    return this.#laterFences.get(slot) ?? this.#firstFence;
  }

  /** Notes at a place in the order whether the fence of a slot is held. */
  setFence(slot: number, held: boolean, order: number): void {
    if (this.holds(slot) === held) return;
    this.#fences[slot >> 3]! ^= 1 << (slot & 7);
    this.fenceCount += held ? 1 : -1;
    if (!held) this.#laterFences.delete(slot);
    else if (this.heardOrder === Infinity) this.#firstFence = order;
    else this.#laterFences.set(slot, order);
    if (this.fenceCount === 0) this.ended = { order, epoch: this.epoch };
  }

  /**
   * Takes a report over.
   *
   * @param order the place at which it was read
   */
  takeReport(report: NodeReport, order: number): void {
    const begunAfter = this.#listOrder;
    this.#listOrder = report.moves === null ? -1 : this.reportOrder;
    this.report = report;
    this.reportReadOrder = order;
    this.sends = report.sends ?? this.sends;
    // While it is connected to, nothing is subscribed yet: all that comes follows the report.
    if (this.heardOrder === Infinity) this.epoch = report.epoch ?? this.epoch;
    const moves = new Map<string, IncomingMove>();
    for (const move of report.moves ?? []) {
      if (move.direction === "out") continue;
      const known = this.#moves.get(move.id);
      // It may come by another connection: what was emitted before it is read only later.
      if (known?.state !== move.state) this.movesOrder = order;
      const places = { begunAfter, runsSince: Infinity, overSince: Infinity };
      moves.set(move.id, { ...places, ...known, ...move, takeover: null });
    }
    this.#moves = moves;
  }

  /** What the node has listed is certain from this place in the order on. */
  confirmMoves(order: number): void {
    this.movesOrder = Infinity;
    for (const move of this.#moves.values()) {
      if (move.state === "running") move.runsSince = Math.min(move.runsSince, order);
      else move.overSince = Math.min(move.overSince, order);
    }
  }

  /** Atomic migrations that may have brought a slot to the node before a place in the order. */
  movesOf(slot: number, order: number): IncomingMove[] {
    return [...this.#moves.values()].filter(({ slots, overSince }) =>
      overSince >= order && includesSlot(slots, slot)
    );
  }

  /** Whether an atomic migration brings a slot to the node, as far as it has said. */
  isReceiving(slot: number): boolean {
    return this.movesOf(slot, -1).some(({ state }) => state === "running");
  }

  /**
   * A ping is sent to the node.
   *
   * @param order the place in the order
   * @param epoch the epoch of the cluster at some time before; null if that is not known
   */
  sendPing(order: number, epoch: number | null): void {
    this.pingOrder = order;
    this.#pingEpoch = epoch;
  }

  /** The node has answered the ping under way: it had emitted everything before it. */
  answerPing(): void {
    if (this.pingOrder === null) return;
    this.provenOrder = this.pingOrder;
    this.epoch = this.#pingEpoch;
    this.pingOrder = null;
  }

  /** Adds an event that has to wait. */
  push(event: HeldEvent<Item>): void {
    this.last = event;
    this.queue.push(event);
    if (event.isOwn) return;
    const others = this.#foreign.get(event.slot);
    if (others === undefined) this.#foreign.set(event.slot, [event]);
    else others.push(event);
  }

  /** Events that wait, in order. */
  *waiting(): Iterable<HeldEvent<Item>> {
    for (let index = this.head; index < this.queue.length; index++) yield this.queue[index]!;
  }

  /** Those of a slot that came on this connection, and that the node did not own for certain. */
  foreign(slot: number): HeldEvent<Item>[] {
    return this.#foreign.get(slot)?.filter(({ isOwn }) => !isOwn) ?? [];
  }

  /** Takes the first event that waits off. */
  shift(): void {
    const event = this.queue[this.head++]!;
    const { stream, slot } = event;
    const others = stream.#foreign.get(slot);
    if (others !== undefined && others[0] === event) others.shift();
    if (others?.length === 0) stream.#foreign.delete(slot);
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head > 1024 && this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
  }
}

/** Database and key as one text, the same for the same bytes. */
export function keyOf({ database, keyBytes }: ClusterEvent): string {
  return `${database} ${byteText(keyBytes)}`;
}

/** Whether the epoch of the cluster was raised once at most, given it before and after. */
export function isWithinOneEpoch(before: number | null, after: number | null): boolean {
  return before !== null && after !== null && after <= before + 1;
}
