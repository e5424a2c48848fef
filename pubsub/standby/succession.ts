import type { Replication } from "../connection/info.ts";
import type { Place, StandbyEvent } from "./side.ts";

/** What was received of a replica whose connection was cut. */
export interface Cut {
  /** Up to which offset; null if that is not known. */
  readonly offset: number | null;
  /** How many messages. */
  readonly received: number;
  /** How often the same server was connected to since. */
  attempts: number;
}

/** The events of a replica since it follows another primary, or is one, or since its connection was cut. */
export interface Frozen {
  /** Where they begin; null until the new connection says so. */
  place: Place | null;
  /** Null if the connection was not cut. */
  readonly cut: Cut | null;
  readonly events: StandbyEvent[];
  bytes: number;
  /** By the clock of `performance`, in ms. */
  readonly since: number;
}

/** How the events of a replica go on. */
export interface Continuation {
  /** Whether it has the same history as before; otherwise that of a new primary. */
  readonly isSame: boolean;
  /** Whether nothing was missed where its connection was cut. */
  readonly isWhole: boolean;
  /** Whether all events before are known to be of the old history. */
  readonly isExact: boolean;
  /** Whether everything was received that the replica executed of the old history. */
  readonly isComplete: boolean;
}

/**
 * Decides how the events of a replica go on that has the history of the primary.
 *
 * @param history the id of their history before
 * @param ours the history of the primary
 * @param theirs that of the replica
 * @returns null if it has nothing to do with the one before
 */
export function continuationOf(
  { place, cut }: Frozen,
  history: string | null,
  ours: Replication,
  theirs: Replication,
): Continuation | null {
  const { offset } = place!;
  const isSame = theirs.id === history;
  // Otherwise the replica has yet to repeat what the new primary has executed of the old history.
  const isNext = theirs.previousId === history && theirs.previousOffset === ours.previousOffset;
  if (!isSame && !isNext) return null;
  const isAtBeginning = isNext && offset === theirs.previousOffset;
  const isResumed = cut !== null && cut.offset === offset;
  return {
    isSame,
    isWhole: cut === null || isResumed || isAtBeginning,
    isExact: isSame || isAtBeginning,
    isComplete: cut === null || isResumed,
  };
}

/** The stream of a primary when it was lost. */
export interface LostStream {
  readonly events: readonly StandbyEvent[];
  /** How many of the events precede the mark with this offset. */
  readonly marks: ReadonlyMap<number, number>;
}

/**
 * Finds the events that an old primary executed alone.
 *
 * @param owed its events that the replica did not repeat before it was cut off
 * @param end the offset at which the new history begins
 * @returns those that were undone, and those of which it is not known; null if the old primary may have
 * executed something before that offset that was not received
 */
export function findUndone(
  owed: readonly StandbyEvent[],
  { events, marks }: LostStream,
  end: number,
): { undone: StandbyEvent[]; doubtful: StandbyEvent[] } | null {
  const indices = new Map(events.map((event, index) => [event, index]));
  let first = 0;
  let last = Infinity;
  for (const [offset, index] of marks) {
    if (offset <= end) first = Math.max(first, index);
    if (offset >= end) last = Math.min(last, index);
  }
  if (last === Infinity) return null;
  const indexOf = (event: StandbyEvent) => indices.get(event) ?? first;
  return {
    undone: owed.filter((event) => indexOf(event) >= last),
    doubtful: owed.filter((event) => indexOf(event) >= first && indexOf(event) < last),
  };
}
