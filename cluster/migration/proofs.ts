import { includesSlot } from "../discovery/slot.ts";
import type { HeldEvent, NodeStream } from "./node_stream.ts";

/**
 * What all nodes together have proven: of which nodes everything is heard, and up to which place in the
 * order. Asks the nodes for what is missing.
 */
export class Proofs<Item> {
  /** Whether a node may be a primary by now that the topology does not name as one. */
  isUnsettled = false;
  /** Whether only primaries are connected to that events of some slots can come from. */
  isNarrow = false;
  /** Whether each event comes that may be the opposite of one that comes. */
  hearsOpposites = true;
  /** The number of nodes in the topology. */
  named = 0;
  /** The number of nodes for which the topology was asked for. */
  known = 0;
  /** The highest epoch that a node has reported; null if none has. */
  epoch: number | null = null;
  /** The place at which that was read. */
  #epochOrder = -1;
  readonly #streams = new Set<NodeStream<Item>>();
  /** Streams, also of connections that are over, of which events wait for what other nodes prove. */
  readonly #waiting = new Set<NodeStream<Item>>();
  #primaries: ReadonlySet<string> = new Set();
  /** Primaries that no topology has named yet. */
  readonly #unnamed = new Set<string>();
  /** Whether what follows has to be found out again. */
  #isStale = false;
  /** The node that has proven least; up to where; and the next one. */
  #slowest: NodeStream<Item> | null = null;
  #provenOrder = Infinity;
  #nextProvenOrder = Infinity;
  #heardOrder = 0;
  /** Primaries that are not heard. */
  #unheard: ReadonlySet<string> = new Set();

  /** Every node has to prove what it emitted before this place: since all are heard, and of an epoch. */
  get everyOrder(): number {
    this.#update();
    return Math.max(this.#epochOrder, this.#unheard.size === 0 ? this.#heardOrder : -1);
  }

  /**
   * Takes note of an epoch that a node has reported; has all nodes prove that it is known of what follows.
   *
   * @param epoch null if the node does not say
   * @param order the place in the order
   */
  noteEpoch(epoch: number | null, order: number): void {
    if (epoch === null || epoch <= (this.epoch ?? -1)) return;
    this.epoch = epoch;
    this.#epochOrder = order;
    this.#wantAll();
  }

  /**
   * Takes a topology over.
   *
   * @param primaries the ids of all nodes to which a slot may migrate
   * @param known the number of nodes in it
   */
  setTopology(primaries: ReadonlySet<string>, known: number): void {
    for (const id of primaries) this.#unnamed.delete(id);
    this.#primaries = primaries;
    this.#wantAll();
    // Nodes that some node counts and the topology does not name, such as those in a handshake.
    this.named = known;
    this.known = known;
    for (const { report } of this.#streams) this.known = Math.max(this.known, report?.known ?? 0);
  }

  /** Takes note of a primary that topologies may not name for a while. */
  addPrimary(id: string): void {
    this.#unnamed.add(id);
    this.account();
  }

  /** Takes note of a primary that is none any more: no slot migrates to it. */
  removePrimary(id: string): void {
    this.#unnamed.delete(id);
    this.#primaries = new Set([...this.#primaries].filter((other) => other !== id));
    this.#wantAll();
  }

  /** Takes note of a connection to a primary. */
  open(stream: NodeStream<Item>): void {
    this.#streams.add(stream);
    this.account();
  }

  /** Takes note of the end of a connection. */
  close(stream: NodeStream<Item>): void {
    this.#streams.delete(stream);
    this.account();
  }

  /** All desired events arrive from a node from this place on. */
  heard(stream: NodeStream<Item>, order: number): void {
    stream.heardOrder = order;
    this.#wantAll();
  }

  /** Once all primaries are heard, asks all for proof since then; not for each, as there may be many. */
  #wantAll(): void {
    this.account();
    const order = this.everyOrder;
    for (const stream of this.#streams) this.wantProof(stream, order);
  }

  /** Whether nothing of a node is to come from before all that are heard were. */
  isProven(stream: NodeStream<Item>): boolean {
    this.#update();
    return stream.isFenceless || this.#heardOrder <= stream.provenOrder;
  }

  /**
   * Whether each `restore` by which a deletion could be an artefact was heard: every other node was when
   * the deletion's node proved something before it.
   */
  hearsAll(event: HeldEvent<Item>): boolean {
    if (!this.hearsOpposites) return false;
    if (this.isNarrow) return this.#hearsTargets(event);
    const { stream, provenOrder } = event;
    this.#update();
    if (this.isUnsettled || this.#heardOrder > provenOrder) return false;
    return this.#unheard.size - (this.#unheard.has(stream.id) ? 1 : 0) === 0;
  }

  /**
   * The same where only some primaries are heard: those count to which the owner of the slot hands keys
   * over, as it says itself before the event and after it.
   */
  #hearsTargets(event: HeldEvent<Item>): boolean {
    const { stream, slot, order, provenOrder, isOwn, sentTo } = event;
    const { report, reportOrder } = stream;
    // It is not known who sends a key to the owner of its slot, nor what a former owner does.
    if (!isOwn || event.type !== "del") return false;
    if (report === null || reportOrder < order || report.slots === null) return false;
    const targets = [sentTo, report.sends!.get(slot)];
    const isKept = stream.holds(slot) && stream.heldSince(slot) <= order &&
      includesSlot(report.slots, slot);
    if (!isKept && (sentTo === null || this.holderOf(slot, stream)?.id !== sentTo)) return false;
    const heard = [...this.#streams].filter(({ heardOrder }) => heardOrder <= provenOrder);
    return targets.every((id) => id == null || heard.some((one) => one.id === id));
  }

  /** Something has changed of what is known of all nodes together. */
  account(): void {
    this.#isStale = true;
  }

  #update(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const unheard = new Set([...this.#primaries, ...this.#unnamed]);
    this.#slowest = null;
    this.#provenOrder = this.#nextProvenOrder = Infinity;
    this.#heardOrder = 0;
    for (const stream of this.#streams) {
      const { id, provenOrder, heardOrder } = stream;
      if (provenOrder < this.#provenOrder) {
        this.#nextProvenOrder = this.#provenOrder;
        this.#provenOrder = provenOrder;
        this.#slowest = stream;
      } else this.#nextProvenOrder = Math.min(this.#nextProvenOrder, provenOrder);
      if (heardOrder === Infinity) continue;
      unheard.delete(id);
      this.#heardOrder = Math.max(this.#heardOrder, heardOrder);
    }
    this.#unheard = unheard;
  }

  /** A node other than `except` that holds the fence of a slot; null if none does. */
  holderOf(slot: number, except: NodeStream<Item>): NodeStream<Item> | null {
    for (const stream of this.#streams) if (stream !== except && stream.holds(slot)) return stream;
    return null;
  }

  /** Up to which place every other node has proven what it emitted. */
  provenBeside(stream: NodeStream<Item>): number {
    this.#update();
    return this.#slowest === stream ? this.#nextProvenOrder : this.#provenOrder;
  }

  /** Whether every other node has proven that nothing from before this place is to come. */
  isProvenBeside(stream: NodeStream<Item>, order: number): boolean {
    if (order <= this.provenBeside(stream)) return true;
    if (stream.neededOrder < order) {
      stream.neededOrder = order;
      this.#waiting.add(stream);
      this.wantProofBeside(stream, order);
    }
    return false;
  }

  /** Up to which place a node has to prove what it emitted, for the events of others that wait. */
  neededOf(stream: NodeStream<Item>): number {
    let needed = -1;
    for (const other of this.#waiting) {
      if (other.neededOrder <= this.provenBeside(other)) this.#waiting.delete(other);
      else if (other !== stream) needed = Math.max(needed, other.neededOrder);
    }
    return needed;
  }

  /** Asks every other node for proof of what it emitted before this place. */
  wantProofBeside(stream: NodeStream<Item>, order: number): void {
    for (const other of this.#streams) {
      if (other !== stream) this.wantProof(other, order);
    }
  }

  /** Whether a node has proven what it emitted before this place; asks it otherwise. */
  wantProof(stream: NodeStream<Item>, order: number): boolean {
    if (stream.provenOrder >= order || !stream.isOpen) return true;
    if (stream.pingOrder === null) stream.node.ping();
    return false;
  }

  /** Whether a node has reported since this place; asks it otherwise. */
  wantReport(stream: NodeStream<Item>, order: number): boolean {
    if (stream.reportOrder >= order) return true;
    if (stream.reportAsked === null) stream.node.report();
    return false;
  }

  /** Asks a node for the fence of a slot, unless that is under way. */
  wantFence(stream: NodeStream<Item>, slot: number): void {
    if (stream.asked.has(slot)) return;
    stream.asked.add(slot);
    stream.node.fence(slot);
  }
}
