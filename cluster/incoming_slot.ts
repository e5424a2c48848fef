import type { LoggedEvent } from "./event_log.ts";
import type { Handover, IncomingSlot, NodeState } from "./node_state.ts";
import type { NodeView, SlotMove } from "./node_view.ts";
import { includesSlot } from "./discovery/slot_range.ts";

/** Whether a slot moves by it, or has moved. */
export function isOf({ state, slots }: SlotMove, slot: number): boolean {
  return state !== "failed" && includesSlot(slots, slot);
}

function isInto(move: SlotMove, slot: number): boolean {
  return move.direction === "in" && isOf(move, slot);
}

/** What comes after that position is of another move than what came before. */
export function beginAnew(incoming: IncomingSlot, position: number): void {
  incoming.begun = position;
  incoming.isAnew = true;
}

/** The node says that it does not own the slot. */
export function deny(incoming: IncomingSlot, view: NodeView, upTo: number): void {
  const { slot } = incoming;
  const source = view.importing?.get(slot);
  // A slot is never on the move both as a whole and key by key: the servers refuse that.
  const comesWhole = view.moves?.some((move) => move.state === "running" && isInto(move, slot));
  if (view.role === "replica") {
    incoming.deniedTo = upTo;
    // That was no move, which may follow.
    beginAnew(incoming, upTo);
  } else if (source !== undefined) {
    incoming.isByKey = true;
    incoming.source = source;
  } else if (comesWhole || view.importing !== undefined) {
    // Given up, it may have left writes of clients that were sent there; those are no phantoms.
    if (incoming.isByKey && incoming.held > 0) return;
    incoming.isByKey = false;
    incoming.deniedTo = upTo;
    incoming.perhapsDeniedTo = upTo;
  }
}

/** How a slot came that the node says it owns; null when the answer does not tell. */
export function howGranted(
  node: NodeState,
  incoming: IncomingSlot,
  view: NodeView,
  handovers: Map<string, Handover>,
): Handover | "key by key" | "unknown" | null {
  const { slot, isByKey, isEarly, isBlurred, grant } = incoming;
  if (isByKey) return "key by key";
  const moves = node.moves?.filter((move) => isOf(move, slot)) ?? [];
  const [move, ...more] = moves.filter(({ id }) => !node.spent?.has(id));
  const isHeard = !isEarly && !isBlurred && more.length === 0 &&
    !node.halfHeard.has(move?.id ?? "");
  if (move?.direction === "in" && isHeard) {
    const { position, order } = grant!;
    incoming.deniedTo = incoming.perhapsDeniedTo;
    const handover = handovers.get(move.id) ?? { move, position, order, last: null };
    handovers.set(move.id, handover);
    return handover;
  }
  if (view.moves === undefined) return view.importing === undefined ? null : "unknown";
  // It may have come and gone several times meanwhile.
  return moves.length === 0 ? "key by key" : "unknown";
}

/** Notes an event of a slot that a node takes in. */
export function noteFirst({ keys, slot }: IncomingSlot, event: LoggedEvent): void {
  if (event.slot === slot && keys?.first.get(event.key) === -1) {
    keys.first.set(event.key, event.position);
  }
}
