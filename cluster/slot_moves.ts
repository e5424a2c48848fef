import type { Asked, Asking } from "./asking.ts";
import { beginAnew, deny, howGranted, isOf, noteFirst } from "./incoming_slot.ts";
import { type Handover, type IncomingSlot, keyOf, type NodeState } from "./node_state.ts";
import type { NodeView, SlotMove } from "./node_view.ts";
import { SLOTS } from "./discovery/slot.ts";
import {
  formatSlots,
  includesMarked,
  includesSlot,
  marksOf,
  type SlotRange,
} from "./discovery/slot_range.ts";
import type { Topology } from "./discovery/topology.ts";

const ALL_SLOTS: readonly SlotRange[] = [{ first: 0, last: SLOTS - 1 }];

/** Which slots are on the move, and what the nodes have said of them. */
export class SlotMoves {
  /** The nodes whose streams are open, by id. */
  readonly nodes: Map<string, NodeState> = new Map();
  /** Slots whose events come from nodes that do not own them, and those nodes. */
  readonly takers: Map<number, Set<NodeState>> = new Map();
  /** All of those nodes. */
  readonly takingNodes: Set<NodeState> = new Set();
  topology: Topology | null = null;
  readonly #asking: Asking;
  readonly #disputed = new Set<NodeState>();

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** The open stream of a slot's owner, as far as is known, if it is not `other`. */
  ownerBeside(slot: number, other: NodeState): NodeState | null {
    const owner = this.nodes.get(this.topology?.ownerOf(slot)?.id ?? "");
    if (owner !== undefined && owner !== other && owner.words.get(slot) !== false) return owner;
    for (const node of this.nodes.values()) {
      if (node !== other && node.words.get(slot) === true) return node;
    }
    return null;
  }

  /** Notes that an event of a slot came from a node that does not own it. */
  take(node: NodeState, slot: number, order: number, at: number): IncomingSlot {
    let incoming = node.incoming.get(slot);
    // Whoever said that it owns the slot has lost it since, and takes it in again.
    if (incoming === undefined || incoming.grant !== null) {
      incoming = {
        slot,
        owner: this.ownerBeside(slot, node)?.id ?? null,
        begun: node.position - 1,
        since: node.position,
        order,
        isEarly: node.spent === null,
        isAnew: true,
        isBlurred: false,
        latest: node.position,
        deniedTo: -1,
        perhapsDeniedTo: -1,
        isByKey: null,
        source: null,
        grant: null,
        keys: null,
        held: 0,
        touched: at,
        isOver: false,
      };
      node.incoming.set(slot, incoming);
      const takers = this.takers.get(slot) ?? new Set();
      this.takers.set(slot, takers.add(node));
      this.takingNodes.add(node);
    }
    if (incoming.isAnew) {
      incoming.isAnew = false;
      incoming.since = node.position;
      incoming.order = order;
      incoming.keys = null;
      if (node.spent !== null) this.#wantKeys(node, incoming);
    }
    incoming.touched = at;
    incoming.isOver = false;
    incoming.latest = node.position;
    return incoming;
  }

  /** Forgets what was known of a slot's events from a node. */
  drop(node: NodeState, incoming: IncomingSlot): void {
    const { slot } = incoming;
    if (node.incoming.get(slot) !== incoming) return;
    node.incoming.delete(slot);
    const takers = this.takers.get(slot);
    takers?.delete(node);
    if (takers?.size === 0) this.takers.delete(slot);
    if (node.incoming.size === 0) {
      node.marks.clear();
      this.takingNodes.delete(node);
    }
    if (this.takers.size === 0) { for (const one of this.nodes.values()) one.log.clear(); }
  }

  /**
   * Looks after slots from which nothing has come for a while. What is known of one must last as long
   * as its move does, so it is dropped only when the node has said that there is none.
   *
   * @param before the time since which nothing came, in ms
   * @param now the time
   * @returns the nodes to be asked
   */
  idle(before: number, now: number): Set<NodeState> {
    const nodes = new Set<NodeState>();
    for (const node of this.takingNodes) {
      for (const incoming of node.incoming.values()) {
        if (incoming.held > 0 || incoming.touched > before) continue;
        if (incoming.isOver) this.drop(node, incoming);
        else {
          incoming.touched = now;
          nodes.add(node);
        }
      }
    }
    return nodes;
  }

  /** Whether a node said something else than the topology, or slots are on the move there. */
  get isDisputed(): boolean {
    return this.#disputed.size > 0;
  }

  /**
   * The nodes of which {@linkcode SlotMoves.isDisputed} is true and that were not asked for a while.
   *
   * @param before the time since which they were not asked, in ms
   * @param now the time
   */
  disputed(before: number, now: number): Set<NodeState> {
    const nodes = new Set<NodeState>();
    for (const node of this.#disputed) {
      const isCalm = node.words.size === 0 && node.migrating.size === 0 &&
        ![...node.incoming.values()].some(({ isByKey }) => isByKey) &&
        !node.moves?.some(({ direction, state }) => direction === "in" && state === "running");
      if (isCalm || !node.isOpen) {
        this.#disputed.delete(node);
      } else if (node.seen <= before) {
        node.seen = now;
        nodes.add(node);
      }
    }
    return nodes;
  }

  /**
   * Takes a new topology over. What it changes is not true of a stream at once, because events sent
   * before the change may still come: each node is asked for its own word.
   */
  setTopology(topology: Topology): void {
    const before = this.topology;
    this.topology = topology;
    this.#asking.topologyCame();
    const concerned = new Set<NodeState>();
    for (let slot = 0; slot < SLOTS; slot++) {
      const from = before?.ownerOf(slot)?.id;
      const to = topology.ownerOf(slot)?.id;
      if (from === to) continue;
      for (const [id, owned] of [[from, true], [to, false]] as const) {
        const node = this.nodes.get(id ?? "");
        // Without an earlier topology there is no owner to be told from the new one.
        if (node === undefined || before === null) continue;
        const believed = node.words.get(slot) ?? owned;
        if (believed === (id === to)) node.words.delete(slot);
        else node.words.set(slot, believed);
        concerned.add(node);
      }
    }
    for (const node of this.nodes.values()) {
      node.lastSlots = null;
      for (const [slot, owned] of node.words) {
        const agrees = owned === (topology.ownerOf(slot)?.id === node.id);
        if (agrees) node.words.delete(slot);
      }
    }
    for (const node of concerned) {
      this.#disputed.add(node);
      this.#asking.wantView(node, true);
    }
  }

  /**
   * Takes a node's own word.
   *
   * @param upTo the position up to which events are certainly older than the answer
   * @param from the position after which events are certainly newer
   * @param now the time, in ms
   */
  hear(
    node: NodeState,
    view: NodeView,
    upTo: number,
    from: number,
    now: number,
  ): void {
    const own = marksOf(view.role === "replica" ? [] : view.slots);
    const owned = (slot: number) => own[slot] === 1;
    const asked = view.asked ?? ALL_SLOTS;
    if (view.migrating !== undefined) node.migrating = view.migrating;
    if (node.migrating.size > 0) this.#disputed.add(node);
    node.seen = now;
    // Before the first answer nobody knows which of the moves are old.
    const spent = new Set(node.spent);
    node.spentBefore = spent;
    const doubted = new Set(node.doubted);
    this.#noteHalfHeard(node, view.moves ?? []);
    if (view.moves !== undefined) this.hearMoves(node, view.moves, upTo, from);
    const order = this.#asking.nextOrder();
    const handovers = new Map<string, Handover>();
    for (const incoming of node.incoming.values()) {
      const { slot } = incoming;
      if (!includesSlot(asked, slot)) continue;
      if (owned(slot)) {
        if (incoming.grant === null) {
          incoming.grant = { position: from, order, how: null };
          this.#doubtOther(node, slot);
        }
        incoming.grant.how ??= howGranted(node, incoming, view, handovers);
        if (incoming.held === 0) this.drop(node, incoming);
      } else if (incoming.grant === null) {
        const news = view.moves?.filter((move) =>
          isOf(move, slot) && (incoming.isEarly || !spent.has(move.id))
        );
        const over = news?.find(({ state }) => state === "succeeded");
        if (over === undefined) deny(incoming, view, upTo);
        else if (over.direction === "in" && !doubted.has(over.id)) {
          // It comes just now, between the two answers of which this one is made; or it came and is
          // gone again. The next answer tells.
          incoming.perhapsDeniedTo = upTo;
        } else {
          // It came and is gone again, or was the node's before; who knows what was sent when.
          incoming.grant = { position: node.position, order, how: "unknown" };
        }
        if (incoming.isByKey) this.#disputed.add(node);
        incoming.isOver = !incoming.isByKey && incoming.deniedTo >= incoming.latest &&
          !news?.some(({ state }) => state === "running");
        if (incoming.isOver && incoming.isBlurred) {
          beginAnew(incoming, upTo);
          incoming.isBlurred = false;
        }
      }
    }
    for (const { id, state, slots, direction } of view.moves ?? []) {
      const isTold = slots.every(({ first, last }) =>
        asked.some((one) => one.first <= first && last <= one.last)
      );
      if (state !== "succeeded" || !isTold) continue;
      if (direction === "out" || owned(slots[0]!.first) || doubted.has(id)) node.spent?.add(id);
      else node.doubted.add(id);
    }
    this.#noteWords(node, asked, owned, view);
  }

  /**
   * Takes over which moves of slots as a whole a node takes part in.
   *
   * @param upTo the position up to which events are certainly older than the answer
   * @param from the position after which events are certainly newer
   */
  hearMoves(node: NodeState, moves: readonly SlotMove[], upTo: number, from: number): void {
    node.moves = moves;
    for (const { id, state, slots } of moves) {
      if (state === "running" || node.over.has(id)) continue;
      node.over.set(id, { slots, position: node.position });
    }
    if (moves.some(({ state }) => state === "running")) this.#disputed.add(node);
    if (node.spent === null) {
      node.spent = new Set();
      for (const { id, state } of moves) {
        (state === "running" ? node.halfHeard : node.spent).add(id);
      }
      return;
    }
    const given: SlotRange[] = [];
    for (const { id, state, slots, direction } of moves) {
      if (state !== "failed" || node.spent.has(id)) continue;
      node.spent.add(id);
      if (direction === "in") given.push(...slots);
    }
    if (given.length === 0) return;
    const failed = marksOf(given);
    // What they copied is gone. Another move that is under way already has perhaps copied it anew, and
    // nobody knows from where on.
    for (const { id, slots } of moves) {
      if (includesMarked(slots, failed)) node.halfHeard.add(id);
    }
    for (const incoming of node.incoming.values()) {
      if (failed[incoming.slot] === 0) continue;
      beginAnew(incoming, upTo);
      // What came in between is of this move, or already of the next.
      if (from > upTo && incoming.latest > upTo) incoming.isBlurred = true;
    }
  }

  /** What a move copied while the slots were still taken for the node's own was taken for its own too. */
  #noteHalfHeard(node: NodeState, moves: readonly SlotMove[]): void {
    const begun = moves.filter(({ id, direction, state }) =>
      direction === "in" && state === "running" && !node.halfHeard.has(id)
    );
    if (begun.length === 0) return;
    const own = new Uint8Array(SLOTS).map((_, slot) => node.owns(slot, this.topology) ? 1 : 0);
    for (const { id, slots } of begun) if (includesMarked(slots, own)) node.halfHeard.add(id);
  }

  /** Begins anew with what is held against the events of others: something else is heard now. */
  hearAnew(): void {
    for (const node of this.takingNodes) {
      node.marks.clear();
      for (const incoming of node.incoming.values()) {
        beginAnew(incoming, node.position);
        incoming.keys = null;
      }
    }
  }

  /** Takes the keys over that a node had in slots that others take in. */
  hearKeys(keys: ReadonlyMap<number, readonly Uint8Array[]>, { order }: Asked): void {
    for (const [slot, found] of keys) {
      for (const node of this.takers.get(slot) ?? []) {
        const incoming = node.incoming.get(slot)!;
        // Asked before the copying began, they may have gone by then.
        if (incoming.isAnew || incoming.order > order) continue;
        if (!node.log.isWholeAfter(incoming.begun)) continue;
        const first = new Map(found.map((key) => [keyOf(0, key), -1]));
        incoming.keys = { order, first };
        for (const event of node.log.after(incoming.begun)) noteFirst(incoming, event);
      }
    }
  }

  #wantKeys(node: NodeState, { owner, slot }: IncomingSlot): void {
    const from = this.nodes.get(owner ?? "");
    if (from !== undefined) this.#asking.wantKeys(from, slot, node);
  }

  /** A node says that it owns a slot; the one that was thought to own it may have lost it. */
  #doubtOther(node: NodeState, slot: number): void {
    const other = this.ownerBeside(slot, node);
    if (other === null) return;
    other.words.set(slot, true);
    this.#disputed.add(other);
    this.#asking.wantView(other, true);
  }

  #noteWords(
    node: NodeState,
    asked: readonly SlotRange[],
    owned: (slot: number) => boolean,
    view: NodeView,
  ): void {
    const isWhole = view.asked === undefined;
    const text = `${view.role} ${formatSlots(view.slots)}`;
    const isNew = !isWhole || text !== node.lastSlots;
    if (isWhole) node.lastSlots = text;
    let differs = false;
    const note = (slot: number) => {
      const owns = owned(slot);
      if (owns === (this.topology?.ownerOf(slot)?.id === node.id)) node.words.delete(slot);
      else {
        node.words.set(slot, owns);
        differs = true;
      }
    };
    if (isNew) {
      for (const { first, last } of asked) for (let slot = first; slot <= last; slot++) note(slot);
    } else for (const slot of [...node.words.keys()]) note(slot);
    if (!differs) return;
    this.#disputed.add(node);
    this.#asking.wantTopology();
  }
}
