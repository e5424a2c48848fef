import type { LoggedEvent } from "./event_log.ts";
import { keyOf, type NodeState } from "./node_state.ts";
import type { ClusterEvent } from "./node_stream.ts";

/** How many events are kept, of all nodes together; a power of two. */
const MOST = 8_192;
/** An event that counts more is not kept, and what came before it proves nothing. In bytes. */
const LARGE = 4_096;

/**
 * The last events of all nodes, kept before anybody knows that a slot is on the move: the first
 * that is heard of a move are copies, and what the source sent meanwhile is repeated after them.
 *
 * No key is looked at before it is asked for. Keeping an event costs 10 ns.
 */
export class RecentEvents {
  readonly #nodes: (NodeState | null)[] = [];
  readonly #events: (ClusterEvent | null)[] = [];
  readonly #slots: Uint16Array = new Uint16Array(MOST);
  readonly #positions: Float64Array = new Float64Array(MOST);
  /** How many there were. */
  #end = 0;
  /** How many of the first ones are not kept. */
  #begin = 0;

  /** Adds the newest event. */
  push(node: NodeState, slot: number, event: ClusterEvent, bytes: number): void {
    if (bytes > LARGE) return this.clear();
    const at = this.#end++ % MOST;
    if (at >= this.#nodes.length) {
      this.#nodes.push(node);
      this.#events.push(event);
    } else {
      this.#nodes[at] = node;
      this.#events[at] = event;
    }
    this.#slots[at] = slot;
    this.#positions[at] = node.position;
    if (this.#end - this.#begin > MOST) this.#begin++;
  }

  /** Forgets everything. */
  clear(): void {
    this.#begin = this.#end;
    this.#nodes.fill(null);
    this.#events.fill(null);
  }

  /**
   * What a node sent last.
   *
   * @param isWanted says of which slots
   * @param upTo the last position that is wanted
   * @returns the events, in their order; and a position after which none is left out
   */
  of(
    node: NodeState,
    isWanted: (slot: number) => boolean,
    upTo: number,
  ): { readonly events: LoggedEvent[]; readonly after: number } {
    const events: LoggedEvent[] = [];
    let after = node.position;
    for (let i = this.#begin; i < this.#end; i++) {
      const at = i % MOST;
      if (this.#nodes[at] !== node) continue;
      const position = this.#positions[at]!;
      after = Math.min(after, position - 1);
      const slot = this.#slots[at]!;
      if (position > upTo || !isWanted(slot)) continue;
      const { kind, eventType, database, keyBytes } = this.#events[at]!;
      events.push({ position, slot, kind, type: eventType, key: keyOf(database, keyBytes) });
    }
    return { events, after };
  }
}
