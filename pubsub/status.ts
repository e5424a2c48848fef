/**
 * The state of a server: `connecting` for the first time; `ready`, every subscription is confirmed;
 * `degraded`, connected, but its flags let nothing through to a subscribed channel, or it refuses a
 * channel that had been confirmed; `reconnecting`; `closed`, for good.
 *
 * @example
 * ```ts
 * import type { NodeState } from "@keywatch/keywatch/pubsub";
 *
 * const COLOURS: Record<NodeState, string> = {
 *   connecting: "yellow",
 *   ready: "green",
 *   degraded: "red",
 *   reconnecting: "yellow",
 *   closed: "grey",
 * };
 * ```
 */
export type NodeState = "connecting" | "ready" | "degraded" | "reconnecting" | "closed";

/**
 * Hash slots that follow each other.
 *
 * @example
 * ```ts
 * import type { SlotSpan } from "@keywatch/keywatch/pubsub";
 *
 * function countSlots(spans: readonly SlotSpan[]): number {
 *   return spans.reduce((sum, { first, last }) => sum + last - first + 1, 0);
 * }
 * ```
 */
export interface SlotSpan {
  /** The first. */
  readonly first: number;
  /** The last, inclusive. */
  readonly last: number;
}

/**
 * How things stand with one server.
 *
 * @example
 * ```ts
 * import type { NodeStatus } from "@keywatch/keywatch/pubsub";
 *
 * function toLine({ node, state, since, error }: NodeStatus): string {
 *   return `${node} ${state} since ${new Date(since).toISOString()} ${error ?? ""}`;
 * }
 * ```
 */
export interface NodeStatus {
  /** The server, as `host:port`. */
  readonly node: string;
  /** In a cluster the node's id. */
  readonly id?: string;
  /** In a cluster the hash slots it owns, both ends of each range included. */
  readonly slots?: readonly SlotSpan[];
  /** How it stands. */
  readonly state: NodeState;
  /** Since when it has been in that state, in ms since the epoch. */
  readonly since: number;
  /** What went wrong last, in words; null while it is ready. */
  readonly error: string | null;
  /** With the option `standby`, the replica that stands by; left out without. */
  readonly standby?: StandbyStatus;
  /** What the server calls itself, such as `redis` or `valkey`; null if it does not say. */
  readonly software: string | null;
  /** Its version; null if it does not say. */
  readonly version: string | null;
  /** Its role when it was last asked; null when it did not report one. */
  readonly role: "primary" | "replica" | null;
  /** The protocol spoken; null before it was agreed on. */
  readonly protocol: 2 | 3 | null;
  /** The channels and patterns it has confirmed. */
  readonly subscriptions: readonly string[];
  /**
   * Its `notify-keyspace-events` when last asked; `unknown` if it did not say; null when it was
   * not asked, as before the first subscription.
   */
  readonly flags: string | null;
  /** Messages received. */
  readonly messages: number;
  /**
   * Messages and other pushes that were not delivered, because they are not well-formed notifications
   * or are of a kind that was not requested, such as `invalidate`.
   */
  readonly malformed: number;
  /** Bytes received. */
  readonly bytes: number;
  /**
   * Bytes in memory between its socket and the queues: those that wait to be decoded, those of an
   * incomplete message, messages held back until a gap before them is reported, and commands that
   * are not sent yet.
   */
  readonly buffered: number;
  /** For how long a `PING` under way has not been answered, nor anything else come, in ms; else 0. */
  readonly silentFor: number;
  /** When the last message came, in ms since the epoch; null before the first. */
  readonly lastMessage: number | null;
}

/**
 * The replica that stands by for a primary.
 *
 * @example
 * ```ts
 * import type { NodeStatus } from "@keywatch/keywatch/pubsub";
 *
 * const isCoveredTwice = ({ state, standby }: NodeStatus): boolean =>
 *   state === "ready" && standby?.isMatched === true;
 * ```
 */
export interface StandbyStatus {
  /** The replica, as `host:port`, or what is looked for. */
  readonly node: string;
  /** How its connection stands. */
  readonly state: NodeState;
  /** Why it cannot stand by, in words; null if nothing is known to be in the way. */
  readonly error: string | null;
  /** Whether it can replace the primary without a gap. */
  readonly isMatched: boolean;
  /** Whether its events are delivered instead of those of the primary. */
  readonly isLeading: boolean;
  /** Events that are subscribed and that replicas do not emit: meanwhile, there is a gap. */
  readonly lacks: readonly string[];
}

/**
 * What slot migrations have caused.
 *
 * @example
 * ```ts
 * import type { MigrationStatus } from "@keywatch/keywatch/pubsub";
 *
 * function isSettled({ held, uncertain }: MigrationStatus): boolean {
 *   return held === 0 && uncertain === 0;
 * }
 * ```
 */
export interface MigrationStatus {
  /** Migration artefacts: notifications that only a slot migration caused. Dropped, or marked. */
  readonly artefacts: number;
  /** Notifications that may be artefacts, which were delivered with `migration: "maybe"`. */
  readonly uncertain: number;
  /** Events that wait until it is known what they are. */
  readonly held: number;
  /** Bytes of the channels and payloads of those events. */
  readonly heldBytes: number;
}

/**
 * Hash slots that follow each other and are alike in all this.
 *
 * @example
 * ```ts
 * import type { SlotCoverage } from "@keywatch/keywatch/pubsub";
 *
 * function toLine({ first, last, node, covered }: SlotCoverage): string {
 *   return `${first}-${last} ${node ?? "nobody's"}${covered ? "" : ", not received"}`;
 * }
 * ```
 */
export interface SlotCoverage extends SlotSpan {
  /** The server that owns them, as far as is known, as `host:port`; null when none is. */
  readonly node: string | null;
  /** Whether their events are being received. */
  readonly covered: boolean;
  /** Since when, in ms since the epoch; null when they never were. */
  readonly since: number | null;
}

/**
 * How things stand.
 *
 * @example
 * ```ts no-run
 * import { connect, type Status } from "@keywatch/keywatch";
 *
 * const onStatus = ({ state, nodes, gaps }: Status): void => {
 *   console.log(state, nodes.map(({ node, state }) => `${node} ${state}`), gaps);
 * };
 * await using notifications = await connect("redis://localhost:6379", { onStatus });
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface Status {
  /**
   * `ready`: every server has confirmed everything subscribed. `subscribing`: a subscription is under
   * way. `incomplete`: a server is missing, or lets nothing through. `closed`: for good.
   */
  readonly state: "ready" | "subscribing" | "incomplete" | "closed";
  /** Each server; in a cluster the primaries from which events of the subscriptions can come. */
  readonly nodes: readonly NodeStatus[];
  /**
   * In a cluster, of the slots whose events are subscribed: those that are being received, and those
   * that are not.
   */
  readonly slots?: {
    readonly covered: readonly SlotSpan[];
    readonly uncovered: readonly SlotSpan[];
    /** All slots, in order, with their owner, and since when they have been covered or not. */
    readonly parts: readonly SlotCoverage[];
  };
  /** In a cluster, what slot migrations have caused so far. */
  readonly migrations?: MigrationStatus;
  /** Gaps so far. */
  readonly gaps: number;
  /** Notifications that wait: in the merged stream, or the fullest of its loops, and for handlers. */
  readonly queued: number;
  /** Bytes of the channels and payloads of those notifications. */
  readonly queuedBytes: number;
  /** Notifications that were dropped from full queues so far, for each consumer that lacks them. */
  readonly dropped: number;
}

/**
 * Whether everything subscribed is being received, and if not, why. Fit for a health endpoint.
 *
 * @example
 * ```ts
 * import type { Health } from "@keywatch/keywatch/pubsub";
 *
 * function toResponse({ ok, reason }: Health): Response {
 *   return new Response(reason, { status: ok ? 200 : 503 });
 * }
 * ```
 */
export interface Health {
  /** Whether every server is connected and has confirmed everything subscribed. */
  readonly ok: boolean;
  /** Why it is not so, or that it is. */
  readonly reason: string;
}
