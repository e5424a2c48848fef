/**
 * Compares the notifications of a primary with those of its replica, so that one stream can replace the
 * other without a loss and without a repetition.
 *
 * Both streams are the history of one server: a replica executes what its primary executed, in that
 * order. `ROLE` gives the replication offset, and its reply has a place in the stream of the
 * connection that sent it: a mark. If both streams have a mark with the same offset, both are at the
 * same point of the history there. Events that follow those marks are compared key by key, because a
 * few commands differ: `SPOP` of a whole set is `spop` and `del` on the primary, and `del` alone on the
 * replica.
 *
 * Invariants:
 *
 * 1. Each event is delivered once, or its key is reported as unknown.
 * 2. Only marks prove that two streams are at the same point. Times are not used.
 * 3. Memory is bounded. Beyond the limits the streams are unmatched until their next common mark, and
 *    the leading stream is delivered meanwhile.
 *
 * @module
 */
import { REPEATED_AS } from "../../events/replication.ts";

/** An event, as the matcher compares it. */
export interface StreamEvent {
  /** Identifies the key, its database and the type of the channel. */
  readonly id: string;
  /** The name of the event. */
  readonly event: string;
  /** The bytes that count in the limits. */
  readonly bytes: number;
}

/** How much is remembered of each stream. */
export interface MatchLimits {
  /** In events. */
  readonly items: number;
  /** In bytes. */
  readonly bytes: number;
}

/**
 * What to do with an event.
 *
 * - `deliver`: deliver it.
 * - `keep`: do not deliver it. The other stream delivers it, or has done so.
 * - `unknown`: deliver it, and report that events of its key may be missing or repeated.
 */
export type Outcome = "deliver" | "keep" | "unknown";

/** What has to be delivered after a stream has replaced the other. */
export interface TakeOver<Event> {
  /** Events that were not delivered yet, in order. */
  readonly events: readonly Event[];
  /** The ids of events of which it is not known whether they were delivered. None of them is in `events`. */
  readonly unknown: ReadonlySet<string>;
}

/** The stream of one connection, since the last mark that both streams have. */
export class MatchedStream<Event extends StreamEvent> {
  /** Its events since then. */
  events: Event[] = [];
  /** The bytes of those events. */
  bytes = 0;
  /** How many of the events precede the mark with this offset. */
  marks: Map<number, number> = new Map();

  /** Forgets the first events, and the marks up to an offset. */
  forget(count: number, offset: number): void {
    for (const { bytes } of this.events.splice(0, count)) this.bytes -= bytes;
    const later = [...this.marks].filter(([each]) => each > offset);
    this.marks = new Map(later.map(([each, at]) => [each, at - count]));
  }
}

/** Matches the leading stream, which is delivered, with the standby's. */
export class StandbyMatcher<Event extends StreamEvent> {
  #leading: MatchedStream<Event> | null = null;
  #standby: MatchedStream<Event> | null = null;
  #isMatched = false;
  /** Events that were delivered and that the leading stream has yet to repeat, by their id. */
  #owed = new Map<string, Event[]>();
  /** The same in the order of delivery, and some that were repeated already. */
  #order: readonly Event[] = [];
  readonly #limits: MatchLimits;

  /**
   * Creates a matcher without streams.
   *
   * @param limits how much is remembered of each stream
   */
  constructor(limits: MatchLimits) {
    this.#limits = limits;
  }

  /** The stream that is delivered; null if there is none. */
  get leading(): MatchedStream<Event> | null {
    return this.#leading;
  }

  /** Whether the standby can replace the leading stream without a gap. */
  get isMatched(): boolean {
    return this.#isMatched;
  }

  /**
   * Begins a stream when its connection is subscribed: the leading one if there is none, otherwise the
   * standby's.
   */
  begin(): MatchedStream<Event> {
    const stream = new MatchedStream<Event>();
    if (this.#leading === null) this.#leading = stream;
    else this.#standby = stream;
    this.#isMatched = false;
    return stream;
  }

  /** Ends the stream of the standby. */
  endStandby(): void {
    this.#standby = null;
    this.#isMatched = false;
  }

  /** Takes an event of a stream. */
  event(stream: MatchedStream<Event>, event: Event): Outcome {
    const isLeading = stream === this.#leading;
    // Replicas do not emit it, so there is nothing to compare it with.
    if (REPEATED_AS[event.event] === null) return isLeading ? "deliver" : "keep";
    this.#record(stream, event);
    if (!isLeading) return "keep";
    const owed = this.#owed.get(event.id);
    if (owed === undefined) return "deliver";
    if (isSame(owed[0]!, event)) {
      owed.shift();
      if (owed.length === 0) this.#owed.delete(event.id);
      return "keep";
    }
    if (isExtra(event, null)) return "keep";
    this.#owed.delete(event.id);
    return "unknown";
  }

  /**
   * Takes a mark of a stream.
   *
   * @param offset the replication offset. Both streams must count in the same history: one server is the
   * other's replica, or both have one primary
   */
  mark(stream: MatchedStream<Event>, offset: number): void {
    // Until there is another stream, only the last mark can become a common one.
    if (this.#standby === null) stream.marks.clear();
    stream.marks.set(offset, stream.events.length);
    const other = stream === this.#leading ? this.#standby : this.#leading;
    const at = other?.marks.get(offset);
    if (other == null || at === undefined) return this.#limit(stream);
    other.forget(at, offset);
    stream.forget(stream.events.length, offset);
    this.#isMatched = true;
  }

  /**
   * Has the standby's stream replace the leading one.
   *
   * @param stays whether the leading stream goes on, as the standby's
   * @returns what has to be delivered; null if it is not known, because the streams are unmatched
   */
  takeOver(stays: boolean): TakeOver<Event> | null {
    const last = this.#leading;
    const next = this.#standby;
    const isMatched = this.#isMatched;
    this.#leading = next;
    this.#standby = stays ? last : null;
    this.#isMatched &&= stays;
    if (last === null || next === null || !isMatched) {
      this.unmatch();
      this.#owed.clear();
      return null;
    }
    // What the leading stream owes follows its own events.
    this.#order = [...last.events, ...this.#owedInOrder()];
    this.#owed = byId(this.#order);
    return this.#compare(next.events);
  }

  /**
   * Returns the events that were delivered and that the leading stream did not repeat, and forgets them.
   * If its server has been promoted, the failover undid them.
   */
  takeOwed(): Event[] {
    const events = this.#owedInOrder();
    this.#owed.clear();
    return events;
  }

  /** Finds the events that were not delivered; those that were are no longer owed. */
  #compare(events: readonly Event[]): TakeOver<Event> {
    const previous = new Map<string, Event>();
    const unknown = new Set<string>();
    const missing = events.filter((event) => {
      const { id } = event;
      if (unknown.has(id)) return false;
      const owed = this.#owed.get(id);
      const first = owed?.[0];
      if (first !== undefined && isSame(first, event)) {
        owed!.shift();
        previous.set(id, first);
        return false;
      }
      const mayBeExtra = isExtra(event, previous.get(id) ?? null);
      if (first === undefined && !mayBeExtra) return true;
      if (first === undefined || !mayBeExtra) unknown.add(id);
      return false;
    });
    for (const [id, owed] of this.#owed) {
      if (owed.length === 0 || unknown.has(id)) this.#owed.delete(id);
    }
    return { events: missing, unknown };
  }

  #owedInOrder(): Event[] {
    const owed = new Set([...this.#owed.values()].flat());
    return this.#order.filter((event) => owed.has(event));
  }

  #record(stream: MatchedStream<Event>, event: Event): void {
    if (this.#standby === null) {
      stream.forget(stream.events.length, Infinity);
      return;
    }
    stream.events.push(event);
    stream.bytes += event.bytes;
    this.#limit(stream);
  }

  #limit({ events, bytes, marks }: MatchedStream<Event>): void {
    const { items, bytes: most } = this.#limits;
    if (events.length + marks.size > items || bytes > most) this.unmatch();
  }

  /** Forgets what both streams have in memory: they are unmatched until their next common mark. */
  unmatch(): void {
    this.#isMatched = false;
    for (const stream of [this.#leading, this.#standby]) {
      stream?.forget(stream.events.length, Infinity);
    }
  }
}

function byId<Event extends StreamEvent>(events: readonly Event[]): Map<string, Event[]> {
  const groups = new Map<string, Event[]>();
  for (const event of events) {
    const group = groups.get(event.id);
    if (group === undefined) groups.set(event.id, [event]);
    else group.push(event);
  }
  return groups;
}

/** Whether both can be the same event: a replica emits it under the name of the replicated command. */
function isSame({ event: one }: StreamEvent, { event: other }: StreamEvent): boolean {
  return one === other || REPEATED_AS[one] === other || REPEATED_AS[other] === one;
}

/**
 * Whether a replica may have emitted an event that its primary did not emit: for `XREADGROUP`, and for a
 * `SPOP` with a count, which Redis 7.0 replicates as several `SREM`.
 */
function isExtra({ event }: StreamEvent, previous: StreamEvent | null): boolean {
  return event === "xgroup-setid" || event === "srem" && previous?.event === "spop";
}
