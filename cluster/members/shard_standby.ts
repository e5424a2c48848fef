import type { Delivery, Desired, Dispatcher, Refusal } from "../../pubsub/dispatcher.ts";
import type { GapReason } from "../../pubsub/gap.ts";
import type { Address } from "../../pubsub/connection/transport.ts";
import type { Settings } from "../../pubsub/options.ts";
import type { ComparedChannels, FilterTools } from "../../pubsub/standby/aliases.ts";
import {
  ComparedChannels as SharedChannels,
  type ShardHooks,
  Standby,
} from "../../pubsub/standby/standby.ts";
import type { Server } from "../../pubsub/server.ts";
import type { NodeStream } from "../migration/node_stream.ts";
import type { KeyNotification } from "../../parse/notification.ts";

/** The primary of a shard. */
export interface ShardPrimary {
  readonly id: string;
  readonly node: string;
  readonly server: Server;
  /** The stream of its connection; null while there is none. */
  readonly stream: NodeStream<Delivery> | null;
}

/** What the standbys of a cluster share. */
export interface ShardContext {
  readonly settings: Settings;
  readonly dispatcher: Dispatcher;
  readonly tools: FilterTools & { readonly Server: typeof Server };
  readonly channels: ComparedChannels;
  /** The hash slot of a notification of which nobody has read the key. */
  slotOf(notification: KeyNotification): number;
  /** Whether a migration may have caused an event. */
  mayMigrate(event: string): boolean;
  /** Lists the addresses of the replicas of a primary. */
  replicasOf(id: string): readonly Address[];
  /** What was covered by the replica is lost after all. */
  onLost(primary: ShardPrimary, slots: ReadonlySet<number>, reason: GapReason, from: number): void;
  onStatus(): void;
}

/** What the replica covers while its primary is not heard. */
interface Covered {
  /** The slots that the primary owned when it was lost. */
  readonly slots: Set<number>;
  /** The epoch of the cluster before that. */
  readonly epoch: number;
  readonly reason: GapReason;
  readonly from: number;
  /** By the clock of `performance`, in ms. */
  readonly since: number;
}

/**
 * A replica that stands by for the primary of a shard. It has no fences: what it alone has emitted waits
 * until the primary is back, owns the slots that it owned before, and no epoch has begun in between, in
 * which a slot could have left it and returned.
 */
export class ShardStandby implements ShardHooks {
  readonly standby: Standby;
  readonly #primary: ShardPrimary;
  readonly #context: ShardContext;
  #covered: Covered | null = null;
  /** Whether the primary is back, and owned the slots all the time. */
  #isBack = false;
  #hasBegun = false;
  #waiting: Delivery[] = [];
  /** The slot of the last event of the replica. */
  #slot = 0;
  #bytes = 0;
  /** The slots that the replica covered last; null if it never did. */
  #lastCovered: ReadonlySet<number> | null = null;
  readonly #ofReplica = new WeakSet<KeyNotification>();

  constructor(primary: ShardPrimary, context: ShardContext) {
    this.#primary = primary;
    this.#context = context;
    const { settings, dispatcher, tools, channels } = context;
    this.standby = new Standby({
      settings,
      dispatcher,
      tools,
      channels,
      shard: this,
      output: {
        registry: dispatcher.registry,
        hand: (delivery) => this.#hand(delivery),
        reportGap: (gap) => dispatcher.reportGap(gap),
        reportRolledBack: (item) => dispatcher.reportRolledBack(item),
      },
      replicas: () => Promise.resolve(context.replicasOf(primary.id)),
      onLost: () => this.#lose(),
      onStatus: () => context.onStatus(),
    });
    this.standby.primary.server = primary.server;
  }

  get isSettled(): boolean {
    const { stream } = this.#primary;
    return stream !== null && stream.queue.length === 0;
  }

  get isConfirmed(): boolean {
    return this.#waiting.length === 0;
  }

  locate({ notification, begins }: Delivery): void {
    if (begins) this.#slot = this.#context.slotOf(notification);
    notification.slot = this.#slot;
    notification.node = this.#primary.node;
    this.#ofReplica.add(notification);
    notification.detach();
  }

  confirm(): boolean {
    if (this.#covered === null) return true;
    if (!this.#isBack) return false;
    const deliveries = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const delivery of deliveries) this.#context.dispatcher.hand(delivery);
    return true;
  }

  /** Takes a message of the primary, once it is classified. */
  take(delivery: Delivery): void {
    const { notification: { slot } } = delivery;
    if (this.#lastCovered !== null && !this.#lastCovered.has(slot!)) {
      this.#context.dispatcher.hand(delivery);
      delivery = { ...delivery, consumers: [] };
    }
    this.standby.take(this.standby.primary, delivery);
  }

  /**
   * The connection to the primary is about to be given up.
   *
   * @returns the slots of which nothing will be missing, if {@linkcode lose} says so too
   */
  prepare(reason: GapReason, from: number): ReadonlySet<number> | null {
    const { server, stream } = this.#primary;
    if (server.connection !== null) return null;
    const { isLeading, canCover } = this.standby;
    if (!isLeading) this.#covered = null;
    if (this.#covered !== null) {
      const isWhole = [...this.#covered.slots].every((slot) => stream?.holds(slot));
      if (!canCover || !isWhole) this.standby.abandon("its primary was lost again");
      this.#isBack = false;
      return this.#covered?.slots ?? null;
    }
    if (!canCover) return null;
    const epoch = stream?.epoch ?? null;
    if (stream === null || stream.isFenceless || stream.isReplica || epoch === null) return null;
    const slots = new Set<number>();
    for (let slot = 0; slot < 16_384; slot++) {
      const isMoving = stream.sends.has(slot) || stream.asked.has(slot);
      if (stream.holds(slot) && !isMoving) slots.add(slot);
    }
    this.#lastCovered = slots;
    this.#isBack = false;
    this.#covered = { slots, epoch, reason, from, since: performance.now() };
    return slots;
  }

  /** Has the replica take the lead, after {@linkcode prepare} and once what was received is decided. */
  lose(isWhole: boolean): void {
    const { reason, from } = this.#covered!;
    if (isWhole && this.standby.lose(reason, from)) return;
    this.#lose();
  }

  /** The state of the primary has changed. */
  onState(): void {
    this.standby.onState();
    if (!this.#hasBegun && this.#primary.server.state === "ready") {
      this.#hasBegun = true;
      this.standby.start();
    }
    const covered = this.#covered;
    const { server, stream } = this.#primary;
    if (covered === null || this.#isBack || server.state !== "ready" || stream === null) return;
    const { report } = stream;
    if (report?.epoch !== covered.epoch || report.role !== "primary") {
      return this.standby.abandon("slots may have moved meanwhile");
    }
    const gone = [...covered.slots].filter((slot) => !stream.holds(slot));
    for (const slot of gone) covered.slots.delete(slot);
    if (gone.length > 0) {
      this.#waiting = this.#waiting.filter(({ notification: { slot } }) =>
        covered.slots.has(slot!)
      );
      this.#context.onLost(this.#primary, new Set(gone), covered.reason, covered.from);
    }
    this.#isBack = true;
  }

  /** Slots have left the primary: what waits of them would come too late. */
  released(slots: readonly number[]): void {
    if (!this.standby.isLeading || !slots.some((slot) => this.#covered?.slots.has(slot))) return;
    this.standby.abandon("slots have left its primary");
  }

  /** The primary is left: what the replica covers is lost. */
  end(): void {
    this.#lose();
  }

  /** Ends what takes too long. */
  check(): void {
    const covered = this.#covered;
    if (covered === null) return;
    if (!this.standby.isLeading) {
      if (this.#waiting.length === 0 && this.#isBack) this.#covered = null;
      return;
    }
    const { queue, heartbeat } = this.#context.settings;
    const isLate = performance.now() - covered.since > 2 * heartbeat.timeout;
    if (
      isLate && !this.#isBack || this.#waiting.length > queue.items || this.#bytes > queue.bytes
    ) {
      this.standby.abandon("its primary is not back");
    }
  }

  #hand(delivery: Delivery): void {
    const { notification, bytes } = delivery;
    if (!this.#ofReplica.has(notification)) return this.#context.dispatcher.hand(delivery);
    if (!this.#covered!.slots.has(notification.slot!)) return;
    if (this.#context.mayMigrate(notification.eventType)) notification.migration = "maybe";
    this.#bytes += bytes;
    this.#waiting.push(delivery);
  }

  #lose(): void {
    const covered = this.#covered;
    this.#covered = null;
    this.#waiting = [];
    this.#bytes = 0;
    if (covered === null) return;
    this.#context.onLost(this.#primary, covered.slots, covered.reason, covered.from);
  }

  /** Has both servers confirm channels. */
  settle(
    channels: readonly Desired[],
    settle: (channels: readonly Desired[]) => Promise<Refusal[]>,
  ): Promise<Refusal[]> {
    return this.standby.settle(channels, settle);
  }
}

export { SharedChannels };
