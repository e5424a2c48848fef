import type { Channel } from "../parse/mod.ts";
import { checkOneOf, checkSignal, invalid, kindOf } from "./connection/option_checks.ts";
import { shielded } from "./connection/options.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { Flush, Gap, RolledBack } from "./gap.ts";
import type { NodeState, Status } from "./status.ts";

/**
 * The `detail` of each event of {@linkcode KeyspaceNotificationsInterface.addEventListener}, by its
 * type. It is what the option of `connect` for it receives, such as `onGap`.
 *
 * @example
 * ```ts no-run
 * import { connect, type NotificationsEventMap } from "@keywatch/keywatch";
 *
 * const counts: Record<keyof NotificationsEventMap, number> = {
 *   gap: 0,
 *   flush: 0,
 *   "rolled-back": 0,
 *   status: 0,
 *   warning: 0,
 *   error: 0,
 * };
 * await using notifications = await connect("redis://localhost:6379");
 * notifications.addEventListener("gap", ({ type }) => counts[type]++);
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface NotificationsEventMap {
  /** Notifications may be missing. */
  readonly gap: Gap;
  /** A server has discarded keys. Only with the option `flushes`. */
  readonly flush: Flush;
  /** A failover has undone writes. Only with the option `standby`. */
  readonly "rolled-back": RolledBack;
  /** The state of a server has changed. */
  readonly status: Status;
  /** A warning that stops nothing. */
  readonly warning: string;
  /** What a handler threw, or why a server delivers nothing any more. */
  readonly error: unknown;
}

/**
 * What a listener of {@linkcode KeyspaceNotificationsInterface.addEventListener} receives.
 *
 * @example
 * ```ts no-run
 * import { connect, type NotificationsEvent } from "@keywatch/keywatch";
 *
 * const log = ({ type, detail }: NotificationsEvent<"gap">) => console.log(type, detail.reason);
 * await using notifications = await connect("redis://localhost:6379");
 * notifications.addEventListener("gap", log);
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface NotificationsEvent<Type extends keyof NotificationsEventMap> {
  /** The type. */
  readonly type: Type;
  /** What is reported. */
  readonly detail: NotificationsEventMap[Type];
}

/**
 * The options of {@linkcode KeyspaceNotificationsInterface.addEventListener}.
 *
 * @example
 * ```ts no-run
 * import { connect, type ListenerOptions } from "@keywatch/keywatch";
 *
 * const first: ListenerOptions = { once: true };
 * await using notifications = await connect("redis://localhost:6379");
 * notifications.addEventListener("gap", () => console.warn("the first gap"), first);
 * await notifications.subscribeKeyspace("user:*");
 * ```
 */
export interface ListenerOptions {
  /** Remove the listener when it is called. Default `false`. */
  readonly once?: boolean | undefined;
  /** Removes the listener when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What is observed, by its type: what listeners receive, and what only diagnostics need. */
export interface Observed extends NotificationsEventMap {
  /** The state of one server has changed. */
  readonly node: {
    /** Stays the same when a failover changes the address. */
    readonly server: object;
    readonly node: string;
    readonly state: NodeState;
    readonly error: Error | null;
    readonly info: ServerInfo | null;
  };
  /** Channels were subscribed. */
  readonly subscribe: { readonly channels: readonly Channel[] };
}

/** Observes everything that is reported. */
export interface Observer {
  observe<Type extends keyof Observed>(type: Type, detail: Observed[Type]): void;
  /** Nothing more is reported. */
  end(): void;
}

/** Hands whatever is reported, apart from notifications, to all who listen. */
export class Reports {
  /** Loaded with the first connection. */
  observer: Observer | null = null;
  /** Whether a loop shows gaps, or did. */
  areGapsRead = false;
  /** By the type of the event, then by the listener. */
  readonly #listeners: ReadonlyMap<string, Map<unknown, (detail: unknown) => void>>;

  /** @param callbacks the options of `connect`, by the type of what they receive */
  constructor(
    callbacks: {
      readonly [Type in keyof NotificationsEventMap]:
        | ((detail: NotificationsEventMap[Type]) => void)
        | undefined;
    },
  ) {
    this.#listeners = new Map(
      Object.entries(callbacks).map(([type, callback]) => [
        type,
        new Map(callback && [[callbacks, shielded(callback as (detail: unknown) => unknown)]]),
      ]),
    );
  }

  /** Whether there is a listener for events of a type. */
  hears(type: keyof NotificationsEventMap): boolean {
    return this.#listeners.get(type)!.size > 0;
  }

  /** Adds a listener; one that was added before stays as it is. */
  add<Type extends keyof NotificationsEventMap>(
    type: Type,
    listener: (event: NotificationsEvent<Type>) => unknown,
    { once, signal }: ListenerOptions = {},
  ): void {
    checkOneOf([...this.#listeners.keys()], "type", type);
    checkSignal(signal);
    if (typeof listener !== "function") throw invalid("listener", kindOf(listener), "a function");
    const listeners = this.#listeners.get(type)!;
    if (signal?.aborted || listeners.has(listener)) return;
    const call = shielded(listener);
    const entry = (detail: unknown) => {
      if (once) this.remove(type, listener);
      call({ type, detail: detail as NotificationsEventMap[Type] });
    };
    listeners.set(listener, entry);
    // The listener may have been added again, without this signal.
    const remove = () => listeners.get(listener) === entry && this.remove(type, listener);
    signal?.addEventListener("abort", remove, { once: true });
  }

  /** Removes a listener, if it is there. */
  remove(type: keyof NotificationsEventMap, listener: unknown): void {
    this.#listeners.get(type)?.delete(listener);
  }

  /** Reports something. */
  emit<Type extends keyof Observed>(type: Type, detail: Observed[Type]): void {
    const listeners = this.#listeners.get(type);
    if (listeners?.size === 0) {
      if (type === "error") console.error("keywatch:", detail);
      if (type === "warning") console.warn(`keywatch: ${detail}`);
    }
    for (const call of [...listeners?.values() ?? []]) call(detail);
    this.observer?.observe(type, detail);
  }
}
