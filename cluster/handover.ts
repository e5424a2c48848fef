import { type EventLog, heardKey, type LoggedEvent } from "./event_log.ts";

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
  /** What the source sent last in the slots that moved, up to there, also before they moved. */
  readonly recent: readonly LoggedEvent[];
  /** The position after which nothing is left out of that. */
  readonly recentAfter: number;
  /** Moments after the copying began. */
  readonly marks: readonly Mark[];
  /** Whether all is known that the target has sent of the move. */
  readonly isWhole: boolean;
  /** Whether an event of the target's came after all that is known not to be of this move. */
  readonly isLater: (event: LoggedEvent) => boolean;
  /** The position up to which such events are certainly the move's. */
  readonly deniedTo: number;
  /** Whether both nodes tell, in a family of channels, of all that happens to a key they tell of. */
  readonly tellAll: (kind: string, database: number) => boolean;
  /** Whether keys whose time has run out are copied like others. */
  readonly copiesLapsed: boolean;
  /** The position after which the source certainly had the slots all the time. */
  readonly ownedSince: number;
  /** The position after which the source has certainly not lost all its keys at once. */
  readonly keptSince: number;
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
 * and reading a group adds `xgroup-setid`. `HSETEX` in the past loses its `hset`; a key with `hdel`
 * therefore proves nothing, nor does one with `expire`. A source that has run `MSETEX`, which is not
 * repeated at all, is not asked for proof.
 */
const REPEATED: ReadonlySet<string> = new Set(
  ("append copy_to del georadiusstore geosearchstore hincrby hset incrby linsert lpop lpush lrem " +
    "lset ltrim new overwritten persist pfadd rename_from rename_to restore rpop rpush sadd " +
    "sdiffstore set setbit setrange sinterstore sortstore srem sunionstore type_changed xadd xdel " +
    "xsetid xtrim zadd zdiffstore zincr zinterstore zpopmax zpopmin zrangestore zrem " +
    "zremrangebylex zremrangebyrank zremrangebyscore zunionstore").split(" "),
);

/** Of these, what copying a key never sends: keys are made by it, and nothing is taken from them. */
const ONLY_REPEATED: ReadonlySet<string> = new Set(
  ("append del hincrby incrby linsert lpop lpush lrem lset ltrim rename_from rpop setbit setrange " +
    "srem xdel xtrim zincr zpopmax zpopmin zrem zremrangebylex zremrangebyrank zremrangebyscore")
    .split(" "),
);

/** What tells that a key is there from then on, and what leaves it there, until its `del`. */
interface Lasting {
  readonly making: ReadonlySet<string>;
  readonly leaving: ReadonlySet<string>;
}

/** A string that has no time to live, or none that is known to have been set. */
const TIMELESS: Lasting = {
  making: new Set(["set"]),
  leaving: new Set(["append", "incrby", "new", "overwritten", "setbit", "setrange"]),
};

/**
 * Where keys whose time has run out are copied like others. Not hashes, of whose fields that is not
 * known, nor streams, which last although they are empty.
 */
const ANY: Lasting = {
  making: new Set(
    ("append incrby incrbyfloat lpush pfadd rpush sadd set setbit setrange zadd zincr").split(" "),
  ),
  leaving: new Set(
    ("expire linsert lpop lrem lset ltrim new overwritten persist rpop spop srem zpopmax zpopmin " +
      "zrem zremrangebylex zremrangebyrank zremrangebyscore").split(" "),
  ),
};

/** How many events in a row are looked for, at most. */
const MOST_IN_ORDER = 256;

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
  const { marks, since, target } = evidence;
  const find = (sent: readonly LoggedEvent[], after: number) =>
    Math.max(lastRepetition(evidence, sent, after), lastInOrder(evidence, sent, after));
  let last = lastCopy(evidence);
  for (const mark of marks) {
    if (mark.target < since || !target.isWholeAfter(mark.target)) continue;
    const sent = sentAfter(evidence, mark.source);
    if (sent !== null) last = Math.max(last, find(sent, mark.target));
  }
  // What is found so proves more in turn.
  for (let before = -2; before < last || before === -2;) {
    before = last;
    last = Math.max(last, lastLeft(evidence, Math.max(evidence.deniedTo, last)));
    const sent = sentSinceCopied(evidence, Math.max(evidence.deniedTo, last));
    if (sent !== null) last = Math.max(last, find(sent, -1));
  }
  return last;
}

/** All that the source sent after a position, in the slots that moved; null where that is not known. */
function sentAfter(
  { recent, recentAfter, source, sourceUpTo, isMoved, doubtful }: HandoverEvidence,
  position: number,
): readonly LoggedEvent[] | null {
  if (recentAfter <= position) return recent.filter((event) => event.position > position);
  // Of other slots the log begins later.
  if (new Set(doubtful.map(({ slot }) => slot)).size > 1) return null;
  if (!source.isWholeAfter(position)) return null;
  return [...source.after(position)].filter((event) =>
    event.position <= sourceUpTo && isMoved(event.slot)
  );
}

/**
 * What the source sent after the keys were copied, or the end of it: the target has repeated what
 * copying does not send, so the source sent that after the copying began, and all that follows.
 */
function sentSinceCopied(
  { recent, isMoved, isLater, target }: HandoverEvidence,
  upTo: number,
): readonly LoggedEvent[] | null {
  const places = new Map(recent.map((event, index) => [heardKey(event), index]));
  let from = Infinity;
  for (const event of target.after(-1)) {
    if (event.position > upTo) break;
    if (!ONLY_REPEATED.has(event.type) || !isMoved(event.slot) || !isLater(event)) continue;
    // If it is not there it is older than all that is.
    from = Math.min(from, places.get(heardKey(event)) ?? 0);
  }
  return from === Infinity ? null : recent.slice(from);
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
 * A key that the source made and did not delete was copied, or the making repeated; so the first that
 * the target tells of it is the move's.
 *
 * That nothing was deleted is known only where each event of a key is heard. Flushing sends none, but
 * is counted; and a key of which the source told nothing all the while, and that was copied, was there.
 */
function lastLeft(evidence: HandoverEvidence, upTo: number): number {
  // Its first would not be its first.
  if (!evidence.isWhole) return -1;
  const { recent, doubtful, isMoved, isLater, target, tellAll } = evidence;
  const { copiesLapsed, ownedSince, keptSince } = evidence;
  const left = new Map<string, number>();
  const told = new Set<string>();
  const { making, leaving } = copiesLapsed ? ANY : TIMELESS;
  // Whose time runs out before it is copied may be left out, and telling nothing.
  const unclear = new Set<string>();
  for (const event of recent) {
    const { type, position } = event;
    const key = heardKey(event);
    told.add(key);
    if (making.has(type) && position > ownedSince) left.set(key, position);
    else if (type === "del") left.delete(key);
    else if (!leaving.has(type)) unclear.add(key);
  }
  const first = new Map<string, number>();
  const unflushed = new Set<number>();
  for (const event of target.after(-1)) {
    const { kind, type, key, slot, position } = event;
    if (!isMoved(slot) || !isLater(event) || !tellAll(kind, databaseOf(key))) continue;
    const heard = heardKey(event);
    if (!first.has(heard)) first.set(heard, position);
    if (position <= upTo && COPYING.has(type) && !told.has(heard)) unflushed.add(databaseOf(key));
  }
  return doubtful.findLast((event) => {
    const heard = heardKey(event);
    return first.get(heard) === event.position && left.has(heard) && !unclear.has(heard) &&
      (left.get(heard)! > keptSince || unflushed.has(databaseOf(event.key)));
  })?.position ?? -1;
}

/**
 * What the source sent since the keys were copied is repeated, so whatever has not been repeated
 * before the doubtful events must be among them, and is the first of its like.
 *
 * @param after a position of the target's before the repetitions
 */
function lastRepetition(
  { doubtful, isMoved, isLater, target }: HandoverEvidence,
  sent: readonly LoggedEvent[],
  after: number,
): number {
  const due = new Map<string, number>();
  const inexact = new Set<string>();
  for (const event of sent) {
    if (!REPEATED.has(event.type)) inexact.add(event.key);
    due.set(likeness(event), (due.get(likeness(event)) ?? 0) + 1);
  }
  const first = doubtful[0]?.position ?? Infinity;
  for (const event of target.after(after)) {
    if (event.position >= first) break;
    if (!isMoved(event.slot) || !isLater(event)) continue;
    const count = due.get(likeness(event));
    if (count !== undefined) due.set(likeness(event), count - 1);
  }
  let last = -1;
  for (const event of doubtful) {
    const count = due.get(likeness(event)) ?? 0;
    if (event.position <= after || count <= 0 || inexact.has(event.key)) continue;
    due.set(likeness(event), count - 1);
    last = event.position;
  }
  return last;
}

/**
 * The repetitions stand in the source's order with nothing between, so the earliest place where the
 * last of them can stand is the earliest they can have ended: more than the count of each tells,
 * where keys take turns.
 *
 * @param after a position of the target's before the repetitions
 */
function lastInOrder(
  { isMoved, isLater, target }: HandoverEvidence,
  sent: readonly LoggedEvent[],
  after: number,
): number {
  const inexact = sent.findLastIndex(({ type }) => !REPEATED.has(type));
  const wanted = sent.slice(Math.max(inexact + 1, sent.length - MOST_IN_ORDER)).map(likeness);
  if (wanted.length === 0) return -1;
  const came = [...target.after(after)].filter((event) => isMoved(event.slot) && isLater(event));
  const alike = came.map(likeness);
  for (let start = 0; start + wanted.length <= came.length; start++) {
    if (wanted.every((one, i) => alike[start + i] === one)) {
      return came[start + wanted.length - 1]!.position;
    }
  }
  return -1;
}

function likeness({ kind, type, key }: LoggedEvent): string {
  return `${kind} ${type} ${key}`;
}

function databaseOf(key: string): number {
  return Number(key.slice(0, key.indexOf(" ")));
}
