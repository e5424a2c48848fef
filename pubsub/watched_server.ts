import type { Channel } from "../parse/mod.ts";
import type { MessageFrame } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { repeat } from "./connection/delay.ts";
import { SubscribeRefusedError } from "./errors.ts";
import { EventRun } from "./event_run.ts";
import type { GapReason } from "./gap.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import { PING, type Probe } from "./connection/heartbeat.ts";
import type { DroppedMessages } from "./held_messages.ts";
import type { Gate, Hub, NodeRun, Refusal, Wanted } from "./hub.ts";
import type { Locator } from "./locator.ts";
import type { Settings } from "./options.ts";
import { type FindSilence, SilenceGuard } from "./silence_guard.ts";
import type { NodeStatus } from "./status.ts";
import { Subscriber } from "./subscriber.ts";
import { OtherServerError } from "./questions.ts";
import type { AskServer, Inspect } from "./subscriber_options.ts";

/** What a watched server tells its owner. */
export interface WatchedServerEvents {
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or nothing
   * comes by it on something wanted.
   */
  onLost(reason: GapReason, from: number): void;
  /** Messages from `from` to `to`, both in ms since the epoch, may be missing before the next. */
  onGap(reason: GapReason, from: number, to: number): void;
  /** As {@linkcode SubscriberEvents.onDropped}. */
  onDropped(dropped: DroppedMessages): void;
  /** As {@linkcode SubscriberEvents.onConnected}. */
  onConnected?(connection: Connection, info: ServerInfo, ask: AskServer): Promise<void>;
  /** As {@linkcode SubscriberEvents.onReleased}. */
  onReleased?(channel: Uint8Array, provenAt: number): void;
  /** The state has changed. */
  onState(): void;
  /** It will not come back: what broke last, or why it was closed. */
  onEnd(reason: Error): void;
}

/** Which server to watch, and for whom. */
export interface WatchedServerOptions {
  /** Says where it is. */
  readonly locator: Locator;
  /** What the options say. */
  readonly settings: Settings;
  /** Whom its messages are for. */
  readonly hub: Hub;
  /** What stands between; null where nothing does. */
  readonly gate: Gate | null;
  /**
   * Looks at a server before anything is subscribed on it.
   *
   * @throws when it is not to be used
   */
  readonly inspect: Inspect;
  /** What to ask it for a sign of life; `PING` where nothing else is asked. */
  readonly probe?: (info: ServerInfo) => Probe;
  /**
   * Asks it from time to time what the connection does not tell by itself, on that connection, or, in
   * RESP2, on another one.
   */
  readonly checkUp?: (connection: Connection) => Promise<void>;
  /** As {@linkcode SubscriberEvents.onOtherServer}. */
  readonly onOtherServer?: (info: ServerInfo, connection: Connection) => Promise<void>;
  /** Takes what happens. */
  readonly events: WatchedServerEvents;
}

const decoder = /* @__PURE__ */ new TextDecoder();

/** One server that is watched: its messages go to the hub, its flags are looked after, and counted. */
export class WatchedServer {
  /** The connection to it, through every loss. */
  readonly subscriber: Subscriber;
  readonly #settings: Settings;
  readonly #hub: Hub;
  readonly #gate: Gate | null;
  readonly #silenceGuard: SilenceGuard;
  readonly #askMore: ((connection: Connection) => Promise<void>) | null;
  readonly #run: NodeRun = new EventRun();
  /** The check under way, or the last one. */
  #check: Promise<unknown> = Promise.resolve();
  /** The check after that one, with the channels of each subscription that waits for it. */
  #nextCheck: { readonly groups: (readonly Channel[])[]; found: Promise<FindSilence> } | null =
    null;
  /** Whether it was said that the address leads to several servers. */
  #hasWarned = false;
  #messages = 0;
  #malformed = 0;
  #lastMessage: number | null = null;
  /** A time before which the last message was not sent, in ms since the epoch. */
  #lastSentAfter = 0;

  constructor(options: WatchedServerOptions) {
    const { locator, settings, hub, gate, inspect, probe = () => PING, events } = options;
    const end = new AbortController();
    this.#askMore = options.checkUp ?? null;
    this.#settings = settings;
    this.#hub = hub;
    this.#gate = gate;
    this.#silenceGuard = new SilenceGuard(settings.flags);
    this.subscriber = new Subscriber({
      ...settings,
      locator,
      inspect,
      probe,
      silenceGuard: this.#silenceGuard,
      wanted: hub.registry,
      events: {
        onMessage: (frame, receivedAt, sentAfter) => this.#onMessage(frame, receivedAt, sentAfter),
        onUnusable: () => this.#malformed++,
        onRead: () => hub.turn(),
        onConfirmed: () => {
          this.#run.end();
          gate?.resubscribed();
        },
        onConnected: async (...made) => await events.onConnected?.(...made),
        onReleased: (...released) => events.onReleased?.(...released),
        onLost: (reason, from) => events.onLost(reason, from),
        onGap: (reason, from, to) => events.onGap(reason, from, to),
        onDropped: (dropped) => events.onDropped(dropped),
        onOtherServer: async (info, connection) => {
          const { connection: first } = this.subscriber;
          await options.onOtherServer?.(info, connection);
          this.#warnOfOthers(first);
        },
        onFlowEnd: () => void this.#checkUp(false),
        onMuted: (error) => {
          const isRefused = error instanceof SubscribeRefusedError;
          if (settings.flags === "warn" && !isRefused) settings.onWarning(error.message);
          else settings.onError(error);
        },
        onState: () => events.onState(),
        onEnd: (reason) => {
          end.abort(reason);
          events.onEnd(reason);
        },
      },
    });
    repeat(settings.heartbeat.interval, end.signal, () => this.#checkUp());
  }

  /** The flags that the server told last; `unknown` when it would not; null when never asked. */
  get flags(): string | null {
    return this.#silenceGuard.flags;
  }

  /** How many messages have come. */
  get messages(): number {
    return this.#messages;
  }

  /** How it stands. */
  status(): NodeStatus {
    const { subscriber } = this;
    const { node, state, since, error, info, confirmed, bytesReceived, buffered } = subscriber;
    return {
      node,
      state,
      since,
      error: error?.message ?? null,
      software: info?.software ?? null,
      version: info?.version ?? null,
      role: info?.role ?? null,
      protocol: info?.protocol ?? null,
      subscriptions: Array.from(confirmed, ({ bytes }) => decoder.decode(bytes)),
      flags: this.flags,
      messages: this.#messages,
      malformed: this.#malformed,
      bytes: bytesReceived,
      buffered,
      silentFor: Math.round(subscriber.silentFor),
      lastMessage: this.#lastMessage,
    };
  }

  /** Rejects, or warns, when its flags or databases let nothing through to one of the channels. */
  async checkSilence(channels: readonly Channel[]): Promise<void> {
    if (this.#settings.flags === "ignore") return;
    const find = await this.#checkWithOthers(channels);
    const missing = find(channels);
    if (missing === null) return;
    if (this.#settings.flags !== "warn") throw missing;
    this.#settings.onWarning(missing.message);
  }

  /** Joins the next check: one check at a time serves all who came before it began. */
  #checkWithOthers(channels: readonly Channel[]): Promise<FindSilence> {
    if (this.#nextCheck === null) {
      const groups: (readonly Channel[])[] = [];
      const found = this.#check.then(() => {
        this.#nextCheck = null;
        return this.subscriber.ask((connection) => this.#silenceGuard.check(connection, groups));
      }).catch((error) => {
        // As of a server that does not tell.
        if (error instanceof OtherServerError) return () => null;
        throw error;
      });
      this.#check = found.catch(() => {});
      this.#nextCheck = { groups, found };
    }
    this.#nextCheck.groups.push(channels);
    return this.#nextCheck.found;
  }

  /** Waits until it has confirmed or refused the channels. */
  async settle(channels: readonly Wanted[]): Promise<Refusal[]> {
    const refused = await this.subscriber.settle(channels);
    const server = this.subscriber.node;
    return refused.map(({ channel, error }) => ({ channel, server, error }));
  }

  /** Waits until it has let go of what is not wanted, if it can be reached. */
  async reconcile(): Promise<void> {
    try {
      await this.subscriber.reconcile();
    } catch {
      // Without the connection nothing is subscribed, and the next one asks only for what is wanted.
    }
  }

  /**
   * Sees whether the flags still let through what is wanted.
   *
   * @param isRegular whether it is time to ask what else is to be asked as well
   */
  async #checkUp(isRegular = true): Promise<void> {
    const { subscriber } = this;
    const { connection, state } = subscriber;
    const looksAtFlags = state === "ready" && this.#silenceGuard.isTold;
    const askMore = isRegular ? this.#askMore : null;
    if (connection === null || (askMore === null && !looksAtFlags)) return;
    try {
      await subscriber.ask(async (asked) => {
        await askMore?.(asked);
        if (!looksAtFlags) return;
        // The heartbeat keeps the time of its own connection.
        const loss = await this.#silenceGuard
          .recheck(
            asked,
            this.#hub.registry.values(),
            asked === connection,
            this.#lastSentAfter,
          );
        if (loss === null) return;
        if (loss.error === null) this.#settings.onWarning(loss.message);
        else subscriber.mute(connection, loss.error, loss.from);
      });
    } catch {
      // What breaks meanwhile is found out by the heartbeat, and by coming back.
    }
  }

  /** @param first the connection beside which another server was found */
  #warnOfOthers(first: Connection | null): void {
    const { node, connection } = this.subscriber;
    // What was left for the other one, has only moved.
    if (this.#hasWarned || connection === null || connection !== first) return;
    this.#hasWarned = true;
    this.#settings.onWarning(
      `${node} leads to several servers, and notifications come from one of them. Its flags, ` +
        "databases and role cannot be checked in RESP2 where a second connection reaches another " +
        "server; use the address of one server, or RESP3",
    );
  }

  #onMessage(frame: MessageFrame, receivedAt: number, sentAfter: number): void {
    this.#messages++;
    this.#lastMessage = receivedAt;
    this.#lastSentAfter = sentAfter;
    if (!this.#hub.deliver(frame, receivedAt, sentAfter, this.#run, this.#gate)) this.#malformed++;
  }
}
