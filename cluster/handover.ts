import type { EventLog, LoggedEvent } from "./event_log.ts";

/**
 * A moment at which two streams are known to be in step: what the source sent after `source` it did
 * after everything in the target's stream up to `target`.
 */
export interface Mark {
  /** A position in the source's stream. */
  readonly source: number;
  /** A position in the target's stream. */
  readonly target: number;
}

/** What is known of slots that moved as a whole, once the target has said that it owns them. */
export interface HandoverEvidence {
  /** The target's events that may be older than the move, in their order. */
  readonly doubtful: readonly LoggedEvent[];
  /** Whether a slot is one of those that moved. */
  readonly isMoved: (slot: number) => boolean;
  /** The position of an event of the target's that the move made. */
  readonly since: number;
  /** What the target has sent. */
  readonly target: EventLog;
  /** What the source has sent. */
  readonly source: EventLog;
  /** The position up to which it has certainly not taken the slots in again. */
  readonly sourceUpTo: number;
  /** Moments after the copying began. */
  readonly marks: readonly Mark[];
  /**
   * The position of the first event that the move can have made of a key that the source had after
   * the copying began.
   */
  readonly firstOf: (slot: number, key: string) => number | undefined;
}

/** What tells of a key that is copied; a small one of any type may also be restored. */
const COPYING: ReadonlySet<string> = new Set([
  "new",
  "set",
  "restore",
  "hset",
  "rpush",
  "sadd",
  "zadd",
  "xadd",
]);

/**
 * Events that the target repeats one for one, as measured on Redis 8.6 and Valkey 9.1 with every
 * command that writes. Others become something else on the way: `expired` and `evicted` are `del`
 * there, `hexpired` is `hdel`, `spop` is `srem`, `incrbyfloat` is `set`, `hincrbyfloat` is `hset`,
 * and reading a group adds `xgroup-setid`. `HSETEX` in the past loses its `hset`, and `MSETEX` is not
 * repeated at all; a key with `hdel` or `expire` therefore proves nothing.
 */
const REPEATED: ReadonlySet<string> = new Set(
  ("append copy_to del georadiusstore geosearchstore hincrby hset incrby linsert lpop lpush lrem " +
    "lset ltrim new overwritten persist pfadd rename_from rename_to restore rpop rpush sadd " +
    "sdiffstore set setbit setrange sinterstore sortstore srem sunionstore type_changed xadd xdel " +
    "xsetid xtrim zadd zdiffstore zincr zinterstore zpopmax zpopmin zrangestore zrem " +
    "zremrangebylex zremrangebyrank zremrangebyscore zunionstore").split(" "),
);

/**
 * How far the events of a move reach into those that came just before the target said that the slots
 * are its own.
 *
 * The target sends a copy of each key first, then repeats the source's events in their order, and
 * then owns the slots, all of them at once; what it sends from there on nobody else has sent. So one
 * event that is certainly a copy or a repetition proves all before it to be.
 *
 * @returns the position of the last event that is certainly the move's, or -1
 */
export function lastOfMove(evidence: HandoverEvidence): number {
  const { marks, since } = evidence;
  let last = lastCopy(evidence);
  for (const mark of marks) {
    if (mark.target < since || !evidence.source.isWholeAfter(mark.source)) continue;
    if (!evidence.target.isWholeAfter(mark.target)) continue;
    last = Math.max(last, lastRepetition(evidence, mark), lastInOrder(evidence, mark));
  }
  return last;
}

/** A key that the source had while it was copied was created on the target before the move. */
function lastCopy({ doubtful, firstOf }: HandoverEvidence): number {
  let last = -1;
  for (const { slot, key, type, position } of doubtful) {
    if (COPYING.has(type) && firstOf(slot, key) === position) last = position;
  }
  return last;
}

/**
 * What the source sent after a mark is repeated after it, so whatever has not been repeated before
 * the doubtful events must be among them, and is the first of its like.
 */
function lastRepetition(
  { doubtful, isMoved, target, source, sourceUpTo }: HandoverEvidence,
  mark: Mark,
): number {
  const due = new Map<string, number>();
  const inexact = new Set<string>();
  for (const event of source.after(mark.source)) {
    if (event.position > sourceUpTo) break;
    if (!isMoved(event.slot)) continue;
    if (!REPEATED.has(event.type)) inexact.add(event.key);
    due.set(likeness(event), (due.get(likeness(event)) ?? 0) + 1);
  }
  const first = doubtful[0]?.position ?? Infinity;
  for (const event of target.after(mark.target)) {
    if (event.position >= first) break;
    const count = due.get(likeness(event));
    if (count !== undefined) due.set(likeness(event), count - 1);
  }
  let last = -1;
  for (const event of doubtful) {
    const count = due.get(likeness(event)) ?? 0;
    if (event.position <= mark.target || count <= 0 || inexact.has(event.key)) continue;
    due.set(likeness(event), count - 1);
    last = event.position;
  }
  return last;
}

/**
 * The repetitions stand in the source's order with nothing between, so the earliest place where they
 * can stand is the earliest they can have ended: more than the count of each tells, where keys take
 * turns.
 */
function lastInOrder(
  { isMoved, target, source, sourceUpTo }: HandoverEvidence,
  mark: Mark,
): number {
  const sent: string[] = [];
  for (const event of source.after(mark.source)) {
    if (event.position > sourceUpTo) break;
    if (!isMoved(event.slot)) continue;
    if (!REPEATED.has(event.type)) return -1;
    sent.push(likeness(event));
  }
  if (sent.length === 0) return -1;
  const came: string[] = [];
  const positions: number[] = [];
  for (const event of target.after(mark.target)) {
    if (!isMoved(event.slot)) continue;
    came.push(likeness(event));
    positions.push(event.position);
  }
  for (let start = 0; start + sent.length <= came.length; start++) {
    if (sent.every((one, i) => came[start + i] === one)) return positions[start + sent.length - 1]!;
  }
  return -1;
}

function likeness({ kind, type, key }: LoggedEvent): string {
  return `${kind} ${type} ${key}`;
}
