import { REPEATED_AS } from "../../events/replication.ts";
import type { Delivery, Dispatcher } from "../dispatcher.ts";
import type { GapReason } from "../gap.ts";
import type { QueueLimits } from "../queue.ts";
import { NOBODY } from "./aliases.ts";
import { StandbyMatcher } from "./matcher.ts";
import type { Replica } from "./replica.ts";
import type { Side, StandbyEvent } from "./side.ts";
import { type Continuation, findUndone, type Frozen, type LostStream } from "./succession.ts";
import { Doubts } from "./verification.ts";

/** What takes the events and reports of the streams. */
export type Output = Pick<Dispatcher, "registry" | "hand" | "reportGap" | "reportRolledBack">;

/** What the streams need. */
export interface StreamsOptions {
  readonly settings: { readonly queue: QueueLimits };
  readonly dispatcher: Output;
}

/** The streams of a primary and its replica, of which one leads: its events are delivered. */
export class Streams {
  matcher!: StandbyMatcher<StandbyEvent>;
  /** The side whose events are delivered. */
  leading: Side;
  /** The gap that began, had the replica not taken the lead; null while the primary leads. */
  loss: { readonly reason: GapReason; readonly from: number } | null = null;
  /** An event that was received in part when the connection of the primary was lost. */
  partial: StandbyEvent | null = null;
  /** The stream of the primary when it was lost. */
  lost: LostStream = { events: [], marks: new Map() };
  readonly doubts: Doubts = new Doubts();
  readonly #primary: Side;
  readonly #replica: Replica;
  readonly #options: StreamsOptions;

  constructor(primary: Side, replica: Replica, options: StreamsOptions) {
    this.#primary = primary;
    this.#replica = replica;
    this.#options = options;
    this.leading = primary;
    this.restart();
  }

  /** Whether the replica leads. */
  get isReplicaLeading(): boolean {
    return this.leading === this.#replica;
  }

  /** Starts again: the primary leads, and nothing is known of the streams. */
  restart(): void {
    this.matcher = new StandbyMatcher(this.#options.settings.queue);
    this.leading = this.#primary;
    this.loss = null;
    this.partial = null;
  }

  /**
   * Gives the lead to the other side.
   *
   * @param stays whether the side that has it goes on
   * @param loss the gap that would begin otherwise
   * @returns false if they are not matched
   */
  change(stays: boolean, loss: Streams["loss"] = this.loss): boolean {
    const { matcher } = this;
    const isOfPrimary = this.leading === this.#primary;
    const { stream } = this.#primary;
    if (isOfPrimary && stream !== null) {
      this.#cutLast();
      this.lost = { events: stream.events, marks: stream.marks };
    }
    const result = matcher.isMatched ? matcher.takeOver(stays) : null;
    if (result === null) return false;
    this.loss = loss;
    const { from } = loss!;
    this.leading = isOfPrimary ? this.#replica : this.#primary;
    for (const id of result.unknown) this.doubts.add(id, from);
    for (const event of result.events) this.#deliver(this.leading, event);
    this.tellDoubts();
    if (!isOfPrimary) this.loss = null;
    return true;
  }

  /**
   * Takes a message of a side.
   *
   * @returns the event that it begins, which has to be decided; null if there is nothing to decide
   */
  take(side: Side, delivery: Delivery): StandbyEvent | null {
    const { last } = side;
    if (!delivery.begins && last !== null) {
      last.deliveries.push(delivery);
      if (last.isDelivered) this.#hand(side, last, delivery);
      else delivery.notification.detach();
      return null;
    }
    if (side.stream === null) {
      side.last = null;
      if (side === this.leading) this.#options.dispatcher.hand(delivery);
      return null;
    }
    const { notification, bytes } = delivery;
    const event: StandbyEvent = {
      id: `${notification.kind}${notification.database}:${notification.key}`,
      event: notification.eventType,
      bytes,
      deliveries: [delivery],
      isDelivered: false,
      served: null,
    };
    side.last = event;
    return event;
  }

  /**
   * Goes on with events of the replica that have waited, and reports what a failover has undone.
   *
   * @returns false if it is not known what was undone
   */
  goOn({ place, events }: Frozen, { isSame, isComplete, isExact }: Continuation): boolean {
    const owed = isSame ? [] : this.matcher.takeOwed();
    const found = isSame || isComplete
      ? { undone: owed, doubtful: [] }
      : findUndone(owed, this.lost, place!.offset);
    if (found === null) return false;
    const { undone, doubtful } = found;
    const { recent } = this.#replica;
    for (const { id } of doubtful) this.doubts.add(id, this.loss!.from);
    // Events of the new history may be among those that were taken for repeated ones.
    if (!isExact) { for (const id of recent) this.doubts.add(id, this.loss!.from); }
    recent.clear();
    if (!isSame && this.partial !== null) {
      undone.push(this.partial);
      this.partial = null;
    }
    const notifications = undone.map(({ deliveries }) => deliveries[0]!.notification);
    if (notifications.length > 0) {
      this.#options.dispatcher.reportRolledBack({
        kind: "rolled-back",
        node: this.#primary.server.node,
        notifications,
        at: Date.now(),
      });
    }
    for (const event of events) this.decide(this.#replica, event);
    this.tellDoubts();
    return true;
  }

  /** Delivers an event, or not. */
  decide(side: Side, event: StandbyEvent): void {
    if (side === this.#replica) this.#replica.recent.add(event.id);
    const outcome = this.matcher.event(side.stream!, event);
    const isMiss = REPEATED_AS[event.event] === null;
    if (outcome === "keep" && !(isMiss && side === this.#primary)) return;
    this.#deliver(side, event);
    if (outcome === "unknown") this.doubts.add(event.id, event.deliveries[0]!.sentAfter);
  }

  #deliver(side: Side, event: StandbyEvent): void {
    if (side === this.#replica && this.partial?.id === event.id) {
      event.served = this.partial.served;
      this.partial = null;
    }
    event.isDelivered = true;
    for (const delivery of event.deliveries) this.#hand(side, event, delivery);
  }

  #hand(side: Side, { id, served }: StandbyEvent, delivery: Delivery): void {
    const { consumers, sentAfter } = delivery;
    // It may be an event that its primary emits under a name that is desired.
    if (side === this.#replica && consumers.includes(NOBODY)) this.doubts.add(id, sentAfter);
    const rest = served === null ? consumers : consumers.filter((one) => !served.has(one));
    this.#options.dispatcher.hand(rest === consumers ? delivery : { ...delivery, consumers: rest });
  }

  /**
   * The connection of the primary may have ended between the messages of one event: then it is left to the
   * replica to complete it.
   */
  #cutLast(): void {
    const { last, stream } = this.#primary;
    const { hasOverlaps } = this.#options.dispatcher.registry;
    if (!hasOverlaps || last === null || stream?.events.at(-1) !== last) return;
    stream.events.pop();
    this.partial = {
      ...last,
      served: new Set(last.deliveries.flatMap(({ consumers }) => consumers)),
    };
  }

  /** Reports the gap of these keys. */
  tellDoubts(): void {
    const doubts = this.doubts.take();
    if (doubts === null) return;
    const { keys, from } = doubts;
    this.#options.dispatcher.reportGap({
      kind: "gap",
      reason: this.loss?.reason ?? "disconnected",
      node: this.#primary.server.node,
      keys,
      from,
      to: Math.max(from, Date.now()),
    });
  }
}
