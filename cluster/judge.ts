import type { Asking } from "./asking.ts";
import { heardKey } from "./event_log.ts";
import { type HandoverEvidence, lastOfMove } from "./handover.ts";
import type { Handover, HeldEvent, IncomingSlot, NodeState, Verdict } from "./node_state.ts";
import type { SlotMove } from "./node_view.ts";
import type { RecentEvents } from "./recent_events.ts";
import { includesSlot, meet } from "./discovery/slot_range.ts";
import type { SlotMoves } from "./slot_moves.ts";

/** What a verdict is found with. */
export interface Court {
  readonly moves: SlotMoves;
  readonly asking: Asking;
  readonly recent: RecentEvents;
  /** How long a deletion waits for a sign that its slot is on the move, in ms. */
  readonly settle: number;
  /** The time, in ms. */
  now: number;
}

/** What an event is, or null while that hangs on an answer; the questions are put. */
export function judge(court: Court, node: NodeState, event: HeldEvent): Verdict | null {
  if (event.verdict !== null) return event.verdict;
  const verdict = event.rule === "deletion"
    ? judgeDeletion(court, node, event)
    : judgeForeign(court, node, event);
  // Looking at the other half of a pair may have settled this one.
  return event.verdict ??= verdict;
}

/**
 * An event of a node that did not own its slot.
 *
 * What the node sent before it said so is a phantom if the slot comes as a whole. If it comes key by
 * key it is real, because clients are sent there for keys that have moved, but for the `restore` of
 * a key that moves.
 */
function judgeForeign(court: Court, node: NodeState, event: HeldEvent): Verdict | null {
  const incoming = event.incoming!;
  if (event.position <= incoming.deniedTo) return "phantom";
  if (event.leader !== null) return judge(court, node, event.leader);
  const { grant } = incoming;
  if (grant !== null && event.position > grant.position) return judgeOwn(court, node, event);
  if (incoming.isByKey || grant?.how === "key by key") {
    return judgeByKey(court, node, event, incoming);
  }
  if (grant?.how === "unknown") return "uncertain";
  if (grant !== null && grant.how !== null) return judgeHandover(court, node, event, grant.how);
  if (event.order < node.unanswerable.view) return "uncertain";
  court.asking.wantView(node, grant !== null || incoming.isByKey === null);
  const owner = court.moves.nodes.get(incoming.owner ?? "");
  // Each answer of the owner marks a moment at which both streams are in step.
  if (owner !== undefined) court.asking.wantPing(owner, event.order);
  return null;
}

/**
 * An event in a slot that comes key by key: `MIGRATE` restores the key here, and then deletes it at
 * the source, all in one command there. So once the source has been heard out, it either has
 * deleted the key, or a client restored it.
 */
function judgeByKey(
  court: Court,
  node: NodeState,
  event: HeldEvent,
  incoming: IncomingSlot,
): Verdict | null {
  if (event.type !== "restore") {
    if (event.type === "del") return judgeOwn(court, node, event);
    if (!event.awaitsLeader || node.heardTo > event.order) return "real";
    if (event.order < node.unanswerable.ping) return "real";
    court.asking.wantPing(node, event.order);
    return null;
  }
  const source = court.moves.nodes.get(incoming.source ?? incoming.owner ?? "");
  if (source === undefined || source === node) return "uncertain";
  if (source.heardTo <= event.order) {
    if (event.order < source.unanswerable.ping) return "uncertain";
    court.asking.wantPing(source, event.order);
    return null;
  }
  const deletion = [...source.undecided(heardKey(event))]
    .findLast(({ type, slot, rule, incoming }) =>
      type === "del" && slot === event.slot && (rule === "deletion" || incoming?.isByKey)
    );
  if (deletion === undefined) return "real";
  deletion.verdict = "phantom";
  return "phantom";
}

/** An event of a node that clients are sent to: the slot may have moved on from there already. */
function judgeOwn(court: Court, node: NodeState, event: HeldEvent): Verdict | null {
  return event.type === "del" ? judgeDeletion(court, node, event) : "real";
}

/**
 * A `del` of the slot's owner: a phantom if the key was restored at a node that takes the slot in.
 * That happened before, but comes by another connection, often later; so that node is heard out.
 */
function judgeDeletion(court: Court, node: NodeState, event: HeldEvent): Verdict | null {
  const { moves, asking } = court;
  const isDue = event.at + court.settle <= court.now;
  if (!moves.takers.has(event.slot) && !node.migrating.has(event.slot)) {
    return isDue ? "real" : null;
  }
  const takers = [...moves.takers.get(event.slot) ?? []]
    .filter((taker) => taker !== node && taker.incoming.get(event.slot)?.isByKey !== false);
  const named = moves.nodes.get(node.migrating.get(event.slot) ?? "");
  if (named !== undefined && named !== node && !takers.includes(named)) takers.push(named);
  let waits = false;
  let isSettled = isDue;
  for (const taker of takers) {
    isSettled = true;
    const isHeard = taker.heardTo > event.order;
    if (!isHeard && event.order >= taker.unanswerable.ping) {
      asking.wantPing(taker, event.order);
      waits = true;
    }
    for (const restored of taker.undecided(heardKey(event))) {
      if (restored.type !== "restore" || restored.slot !== event.slot) continue;
      if (judge(court, taker, restored) === null) waits = true;
      if (event.verdict !== null) return event.verdict;
    }
  }
  return waits || !isSettled ? null : "real";
}

/** An event that came just before its node said that it owns the slot, which came as a whole. */
function judgeHandover(
  court: Court,
  node: NodeState,
  event: HeldEvent,
  handover: Handover,
): Verdict | null {
  const { move, order } = handover;
  if (handover.last === null) {
    const source = court.moves.nodes.get(move.source ?? "");
    // The source sent its last event in these slots before the target could own them.
    const isHeard = (source?.told?.order ?? -1) > order;
    if (source !== undefined && !isHeard && order >= source.unanswerable.view) {
      court.asking.wantView(source, true);
      return null;
    }
    const doubtful = node.queue.filter(({ verdict, incoming, position }) =>
      verdict === null && incoming?.grant?.how === handover && position <= handover.position
    );
    const slots = new Map(doubtful.map(({ slot, incoming }) => [slot, incoming!]));
    handover.last = !isHeard || !isSource(source, move) ? -1 : lastOfMove({
      ...recentOf(court, source, move),
      doubtful,
      isMoved: (slot) => includesSlot(move.slots, slot),
      since: Math.min(...Array.from(slots.values(), ({ since }) => since)),
      target: node.log,
      source: source.log,
      sourceUpTo: source.told!.upTo,
      isWhole: [...slots.values()].every(({ begun }) => node.log.isWholeAfter(begun)),
      isLater: ({ slot, position }) => position > (slots.get(slot)?.begun ?? Infinity),
      tellAll: allOf(source, node),
      copiesLapsed: source.told!.view.copiesLapsed === true,
      ownedSince: ownedSince(source, move),
      keptSince: keptSince(source),
      deniedTo: Math.max(...Array.from(slots.values(), ({ deniedTo }) => deniedTo)),
      marks: node.marks.get(source) ?? [],
      firstOf: (slot, key) => {
        const keys = slots.get(slot)?.keys;
        return keys && keys.order < source.told!.order ? keys.first.get(key) : undefined;
      },
    });
  }
  return event.position <= handover.last ? "phantom" : "uncertain";
}

/** What the source of a move sent last in its slots. */
function recentOf(
  { recent }: Court,
  source: NodeState,
  move: SlotMove,
): Pick<HandoverEvidence, "recent" | "recentAfter"> {
  const isMoved = (slot: number) => includesSlot(move.slots, slot);
  const { events, after } = recent.of(source, isMoved, source.told!.upTo);
  return { recent: events, recentAfter: after };
}

/** What two nodes tell all of, by family of channels and database. */
function allOf(source: NodeState, target: NodeState): HandoverEvidence["tellAll"] {
  const known = new Map<string, boolean>();
  return (kind, database) => {
    const key = `${kind} ${database}`;
    const tellAll = known.get(key) ??
      (source.tellsAll(kind, database) && target.tellsAll(kind, database));
    known.set(key, tellAll);
    return tellAll;
  };
}

/** The position after which the source of a move certainly neither got nor lost its slots otherwise. */
function ownedSince({ over }: NodeState, { id, slots }: SlotMove): number {
  const others = [...over].filter(([other, past]) => other !== id && meet(past.slots, slots));
  return Math.max(-1, ...others.map(([, { position }]) => position));
}

/** The position after which the node was certainly not emptied without an event, until it last told. */
function keptSince({ told, beginning }: NodeState): number {
  const emptied = told?.view.stats?.emptied ?? null;
  return emptied === null || beginning?.emptied !== emptied ? Infinity : beginning.position;
}

/** Whether what a node has sent, and the keys it had, are those of the source of that move. */
function isSource(
  node: NodeState | undefined,
  { id, slots, isRetried }: SlotMove,
): node is NodeState {
  const { moves, importing, stats } = node?.told?.view ?? {};
  const before = node?.spentBefore;
  const own = moves?.find((move) => move.id === id);
  if (own === undefined || importing === undefined || isRetried || own.isRetried) return false;
  if (!stats?.repeatsAll) return false;
  // It must not have taken the slots in again since, and copied keys itself. Valkey tells the second
  // in which a move began, so of two in one second the one comes first that was heard of first.
  return ![...importing.keys()].some((slot) => includesSlot(slots, slot)) &&
    !moves!.some((move) =>
      move.direction === "in" && move.created >= own.created && meet(move.slots, slots) &&
      !(before?.has(move.id) && !before.has(own.id))
    );
}
