import { EventLog, heardKey, type LoggedEvent } from "./event_log.ts";
import type { Mark } from "./handover.ts";
import type { ClusterEvent } from "./node_stream.ts";
import type { NodeView, SlotMove } from "./node_view.ts";
import type { SlotRange } from "./discovery/slot_range.ts";
import type { Topology } from "./discovery/topology.ts";

/**
 * What an event is: `real`, sent by the owner of its slot; a `phantom`, which a move of slots made;
 * `uncertain` where nobody can tell, which is to be delivered.
 *
 * @example
 * ```ts
 * import type { Verdict } from "@keywatch/keywatch/cluster";
 *
 * const isDelivered = (verdict: Verdict): boolean => verdict !== "phantom";
 * ```
 */
export type Verdict = "real" | "phantom" | "uncertain";

/** What is known of an event when it begins to wait. */
interface Held {
  /** What is to be handed on. */
  readonly item: unknown;
  /** What it tells of itself; null for what is no event in question. */
  readonly event: ClusterEvent | null;
  /** What it counts against the limit. */
  readonly bytes: number;
  /** When it came, in ms by a clock that is never set back, as all times here are. */
  readonly at: number;
  /** Its place among all that came and all that was asked, on all connections. */
  readonly order: number;
  /** The how manieth event of its node's stream it is. */
  readonly position: number;
  readonly slot: number;
  /** Why it is in question: it deletes, or its node does not own the slot, as far as is known. */
  readonly rule: "none" | "deletion" | "foreign";
  /** What is known of its slot, where it is foreign. */
  readonly incoming: IncomingSlot | null;
}

/** An event that waits for its verdict, or behind one that does. */
export class HeldEvent implements LoggedEvent {
  readonly items: unknown[];
  readonly bytes: number;
  readonly at: number;
  readonly order: number;
  readonly position: number;
  readonly slot: number;
  readonly rule: Held["rule"];
  readonly incoming: IncomingSlot | null;
  verdict: Verdict | null;
  /** The event of the same command whose verdict is its own. */
  leader: HeldEvent | null = null;
  /** Whether the next event may be its leader. */
  awaitsLeader = false;
  readonly #event: ClusterEvent | null;
  #key: string | null = null;

  constructor({ item, event, bytes, at, order, position, slot, rule, incoming }: Held) {
    this.items = [item];
    this.bytes = bytes;
    this.at = at;
    this.order = order;
    this.position = position;
    this.slot = slot;
    this.rule = rule;
    this.incoming = incoming;
    this.verdict = rule === "none" ? "real" : null;
    this.#event = event;
  }

  /** The family of the channel it came on. */
  get kind(): string {
    return this.#event?.kind ?? "";
  }

  /** The event, as the server names it. */
  get type(): string {
    return this.#event?.eventType ?? "";
  }

  /** Database and key; made when it is asked for, which with no slot on the move it never is. */
  get key(): string {
    if (this.#event === null) return "";
    return this.#key ??= keyOf(this.#event.database, this.#event.keyBytes);
  }
}

/** The answer in which a node said that it owns a slot that it did not own, as far as was known. */
export interface Grant {
  /** What came after this position was sent by the owner. */
  readonly position: number;
  /** The order of the answer. */
  readonly order: number;
  /** How the slot came: in one piece, key by key, or nobody can tell; null until that is asked. */
  how: Handover | "key by key" | "unknown" | null;
}

/** A move of slots as a whole whose target has said that it owns them. */
export interface Handover {
  readonly move: SlotMove;
  /** As the {@linkcode Grant} has it. */
  readonly position: number;
  /** As the {@linkcode Grant} has it. */
  readonly order: number;
  /** The last position that is certainly the move's; null while the source has not been heard out. */
  last: number | null;
}

/** A slot whose events come from a node that did not own it when they came. */
export interface IncomingSlot {
  readonly slot: number;
  /** The node the slot belonged to when its first event came. */
  readonly owner: string | null;
  /** The position after which all these events came. */
  begun: number;
  /** The position of one of these events, at which the move was certainly under way. */
  since: number;
  /** The order of that event. */
  order: number;
  /** Whether it came before the node first told of its moves: any of them may then be news. */
  readonly isEarly: boolean;
  /** Whether the next event is of another move than those before. */
  isAnew: boolean;
  /** Whether nobody can tell which of the events after `begun` are of an earlier move. */
  isBlurred: boolean;
  /** The position of the last of these events. */
  latest: number;
  /** Up to this position the node did not own it, nor take it in key by key. */
  deniedTo: number;
  /** Up to this position the same holds, if the slot is the node's when it next tells. */
  perhapsDeniedTo: number;
  /** Whether the node takes it in key by key, by SETSLOT and MIGRATE; null while that is unknown. */
  isByKey: boolean | null;
  /** The node that the keys come from, as the target says. */
  source: string | null;
  grant: Grant | null;
  /**
   * Keys that the owner had after the event at `since`, each with the position of its first event
   * after `begun`, or -1; and the order of that question.
   */
  keys: { readonly order: number; readonly first: Map<string, number> } | null;
  /** How many events of it wait. */
  held: number;
  /** When the last of these events came, or the node was last asked, in ms. */
  touched: number;
  /** Whether the node said, after the last of these events, that it does not take the slot in. */
  isOver: boolean;
}

/** What is known of one node by its stream. */
export class NodeState {
  readonly id: string;
  readonly queue: HeldEvent[] = [];
  readonly log: EventLog = new EventLog();
  /** Slots whose events come without the node owning them. */
  readonly incoming: Map<number, IncomingSlot> = new Map();
  /** When the node last gave its word, or was asked for it, in ms. */
  seen = 0;
  /** Slots that the node gives away key by key, and to whom. */
  migrating: ReadonlyMap<number, string> = new Map();
  /** What the node said, or was last believed, of slots where the topology says otherwise. */
  readonly words: Map<number, boolean> = new Map();
  /** Events that wait as deletions or restorations, by key. */
  readonly #listed = new Map<string, Set<HeldEvent>>();
  /** Those that are not in there yet, because nobody has looked. */
  readonly #unlisted: HeldEvent[] = [];
  /** Events whose leader may be the next. */
  followers: HeldEvent[] = [];
  /** How many events there were. */
  position = 0;
  /** All that the node sent before this order has come. */
  heardTo = -1;
  /** Questions that were sent before this order cannot be answered. */
  readonly unanswerable: { view: number; ping: number } = { view: -1, ping: -1 };
  /** Moments at which this stream, as a target's, was in step with a source's. */
  readonly marks: Map<NodeState, Mark[]> = new Map();
  /** What it last said of itself, when it was asked, and what it had certainly sent before. */
  told: { readonly order: number; readonly view: NodeView; readonly upTo: number } | null = null;
  /** When it was asked and was a replica; see {@linkcode OwnershipSink.renew}. Null while it never was. */
  replicaAt: number | null = null;
  /** What its {@linkcode CommandStats} said when its stream began, and an event that came later. */
  beginning: { readonly emptied: string | null; readonly position: number } | null = null;
  /** Moves of slots as a whole, as it last told. */
  moves: readonly SlotMove[] | null = null;
  /** Moves that are no news: over before the stream began, or heard of. Null until first told. */
  spent: Set<string> | null = null;
  /** What was in `spent` before it last told. */
  spentBefore: ReadonlySet<string> = new Set();
  /** Moves that are over, by id, each with its slots and an event that came later. */
  readonly over: Map<string, { readonly slots: readonly SlotRange[]; readonly position: number }> =
    new Map();
  /** Moves into the node that are over, by which it did not have the slots once it told. */
  readonly doubted: Set<string> = new Set();
  /** Moves whose beginning was not heard, which therefore prove nothing. */
  readonly halfHeard: Set<string> = new Set();
  /** What the node said that it owns, when it last said it of all slots. */
  lastSlots: string | null = null;
  lastVerdict: Verdict = "real";
  isOpen = true;

  /** Whether, in a family of channels, it tells of all that happens to a key that it tells of. */
  readonly tellsAll: (kind: string, database: number) => boolean;

  constructor(id: string, tellsAll: NodeState["tellsAll"]) {
    this.id = id;
    this.tellsAll = tellsAll;
  }

  /** Whether the node owns a slot, as far as is known. */
  owns(slot: number, topology: Topology | null): boolean {
    return this.words.get(slot) ?? topology?.ownerOf(slot)?.id === this.id;
  }

  /** Has an event be found among those that are alike, until it is taken away. */
  list(event: HeldEvent): void {
    if (event.rule === "none" || event.type !== "del" && event.type !== "restore") return;
    this.#unlisted.push(event);
  }

  /** Takes the oldest of the events away that wait. */
  unlist(event: HeldEvent): void {
    if (this.#unlisted[0] === event) this.#unlisted.shift();
    if (this.#listed.size === 0 || event.rule === "none") return;
    const alike = this.#listed.get(heardKey(event));
    if (alike?.delete(event) && alike.size === 0) this.#listed.delete(heardKey(event));
  }

  /** Events in question that are alike and have no verdict, in their order. */
  *undecided(likeThis: string): Iterable<HeldEvent> {
    for (const event of this.#unlisted.splice(0)) {
      const alike = this.#listed.get(heardKey(event)) ?? new Set();
      this.#listed.set(heardKey(event), alike.add(event));
    }
    for (const event of [...this.#listed.get(likeThis) ?? []]) {
      if (event.verdict === null) yield event;
    }
  }
}

/** Database and key as one text, the same for the same bytes. */
export function keyOf(database: number, bytes: Uint8Array): string {
  let text = `${database} `;
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
