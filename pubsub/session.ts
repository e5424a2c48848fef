import type { MessageFrame } from "../resp/mod.ts";
import { type Connection, MessageReceiver } from "./connection/connection.ts";
import { delay, repeat } from "./connection/timers.ts";
import { TimeoutError } from "./connection/errors.ts";
import { type Introduced, nameLibrary, type ServerInfo } from "./connection/handshake.ts";
import { Heartbeat, PING, type Probe } from "./connection/heartbeat.ts";
import type { ServerChannel } from "./connection/requests.ts";
import type { Address } from "./connection/transport.ts";
import type { Consumer } from "./delivery.ts";
import { SubscribeRefusedError } from "./errors.ts";
import { EventDeduplicator } from "./event_deduplicator.ts";
import type { GapReason, OpenGap } from "./gap.ts";
import { type DroppedMessages, HeldMessages } from "./held_messages.ts";
import type { Dispatcher, Gate, MessageSource } from "./dispatcher.ts";
import type { Locator } from "./locator.ts";
import type { Settings } from "./options.ts";
import {
  openServer,
  openSideConnection,
  OtherServerError,
  SideConnection,
  type WithConnection,
} from "./side_connection.ts";
import type { DeliveryCheck, UndeliverableError } from "./flags.ts";
import type { NodeState } from "./status.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * After how long a server from which nothing can come is asked again, in ms: twice as long each
 * time, up to the most. In RESP2 each time takes a connection.
 */
const FIRST_RECHECK_MS = 200;
const MAX_RECHECK_MS = 2_000;

/** What a server reports to its owner. */
export interface ServerEvents {
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or nothing
   * comes by it on a desired channel.
   */
  onLost(reason: GapReason, from: number): void;
  /** Messages from `from` to `to`, both in ms since the epoch, may be missing before the next. */
  onGap(reason: GapReason, from: number, to: number): void;
  /** Messages were dropped because too many came while their channels were being confirmed again. */
  onDropped(dropped: DroppedMessages): void;
  /** A connection was made. Once this is over, every desired channel is subscribed on it. */
  onConnected?(
    connection: Connection,
    info: ServerInfo,
    withConnection: WithConnection,
  ): Promise<void>;
  /**
   * The server has ended the subscription of a shard channel, at this place among the messages.
   *
   * @param provenAt a time before that, in ms since the epoch
   */
  onReleased?(channel: Uint8Array, provenAt: number): void;
  /** The state has changed. */
  onState(): void;
  /** It will not come back: what broke last, or why it was closed. */
  onEnd(reason: Error): void;
}

/** Which server to watch, and for whom. */
export interface ServerOptions {
  /** Says where it is. */
  readonly locator: Locator;
  /** What the options say. */
  readonly settings: Settings;
  /** Whom its messages are for. */
  readonly dispatcher: Dispatcher;
  /** What stands between; null where nothing does. */
  readonly gate: Gate | null;
  /**
   * Looks at a server before anything is subscribed on it, by a connection that takes any question.
   *
   * @throws when it is not to be used
   */
  readonly inspect: (
    info: ServerInfo,
    connection: Connection,
    askedAt: number,
  ) => void | Promise<void>;
  /** What to ask it for a sign of life; `PING` where nothing else is asked. */
  readonly probe?: (info: ServerInfo) => Probe;
  /**
   * Asks it from time to time what the connection does not tell by itself, on that connection, or, in
   * RESP2, on another one.
   */
  readonly checkUp?: (connection: Connection) => Promise<void>;
  /**
   * A side connection has reached another server at the same address. Its answers count for
   * nothing; it is closed once this is over.
   */
  readonly onOtherServer?: (info: ServerInfo, connection: Connection) => Promise<void>;
  /** Takes what happens. */
  readonly events: ServerEvents;
}

/** What a server keeps from one session to the next. */
export interface ServerMemory {
  readonly options: ServerOptions;
  readonly deliveryCheck: DeliveryCheck;
  /** Open while a desired channel is not covered. */
  readonly gap: OpenGap;
  /** What the server has refused since it was last desired, by channel. */
  readonly refused: Map<string, Error>;
  /** How many messages have come, those that were no notifications among them. */
  messages: number;
  malformed: number;
  /** When the last message was read, in ms since the epoch; null before the first. */
  lastMessage: number | null;
  /** Whether it was said that the address leads to several servers. */
  hasWarned: boolean;
  /** Aborted when the server is watched no more. */
  readonly end: AbortSignal;
  /** The server's state has changed, or what is wrong with it. */
  enter(state: NodeState, error: Error | null): void;
  /** A session has requested every desired channel. */
  arrive(session: Session): void;
  /** A session that had arrived is over. */
  lose(session: Session, reason: Error): void;
}

/**
 * One connection to a server, and everything that ends with it: the heartbeat, what was confirmed,
 * what is held, the side connection.
 *
 * Once it is over it reports nothing more, so whoever has it need not ask whether it is still that of
 * the server.
 */
export class Session extends MessageReceiver implements MessageSource {
  readonly connection: Connection;
  readonly subscriptions: Subscriptions;
  readonly deduplicator: EventDeduplicator<Consumer> = new EventDeduplicator();
  readonly gate: Gate | null;
  readonly #memory: ServerMemory;
  readonly #dispatcher: Dispatcher;
  readonly #address: Address;
  readonly #life = new AbortController();
  /** Messages that came before every desired channel was confirmed; null when they are not held. */
  #held: HeldMessages | null;
  #info!: ServerInfo;
  readonly #side: SideConnection;
  #heartbeat: Heartbeat | null = null;
  /** `arriving` until every desired channel was requested. */
  #state: "arriving" | "ready" | "degraded" = "arriving";
  /** Why its owner gave it up, and since when it was of no use; null when it did not. */
  #givenUp: { readonly reason: GapReason; readonly from: number } | null = null;
  /** How many messages have come. */
  #count = 0;
  /** A time before which the last message was not sent, in ms since the epoch. */
  #lastSentAfter = 0;
  /** To be called when a message comes; null when that is no news. */
  #hint: (() => void) | null = null;

  private constructor(memory: ServerMemory, connection: Connection, address: Address) {
    super();
    const { settings, dispatcher, gate } = memory.options;
    this.#memory = memory;
    this.#dispatcher = dispatcher;
    this.gate = gate;
    this.connection = connection;
    this.#address = address;
    this.#held = memory.gap.isOpen ? new HeldMessages(settings.queue) : null;
    this.subscriptions = new Subscriptions(
      connection,
      dispatcher.registry,
      memory.refused,
      () => this.#side.whenAnswered(),
    );
    this.#side = new SideConnection({
      connection,
      protocol: () => this.#info.protocol,
      isIdle: () => this.subscriptions.isIdle && !connection.hasShardChannels,
      openSideConnection: () => this.openSideConnection(),
    });
  }

  /**
   * Opens a connection and shakes hands.
   *
   * @throws as {@linkcode openServer} does
   */
  static async open(
    memory: ServerMemory,
    address: Address,
    signal: AbortSignal,
  ): Promise<Session> {
    let session!: Session;
    const { connection, info } = await openServer(
      address,
      memory.options.settings,
      signal,
      (connection) => session = new Session(memory, connection, address),
    );
    nameLibrary(connection);
    session.#info = info;
    return session;
  }

  /** What the server said of itself. */
  get info(): ServerInfo {
    return this.#info;
  }

  /** Whether every desired channel was requested. */
  get hasArrived(): boolean {
    return this.#state !== "arriving";
  }

  /** Why it is over; null while it is not. */
  get closedReason(): Error | null {
    return this.connection.closedReason;
  }

  /** Bytes in memory between the socket and the queues. */
  get buffered(): number {
    return this.connection.buffered + (this.#held?.bytes ?? 0);
  }

  /** For how long a `PING` under way has not been answered, nor anything else come, in ms; else 0. */
  get silentFor(): number {
    return this.#heartbeat?.silentFor ?? 0;
  }

  /** What may be missing once it is over, and since when, in ms since the epoch. */
  loss(reason: Error): { reason: GapReason; from: number } {
    const { lastAckAt } = this.connection;
    const { reason: why, from } = this.#givenUp ?? {
      reason: reason instanceof TimeoutError ? "unresponsive" : "disconnected",
      from: Infinity,
    };
    return { reason: why, from: Math.min(lastAckAt, from) };
  }

  /** Something is awaited from the server: if it does not answer, that is noticed as on a busy connection. */
  expect(): void {
    this.#heartbeat?.expect();
  }

  /** Does something on this connection, or in RESP2 on a side connection. */
  withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#side.withConnection(work);
  }

  /**
   * Opens another connection to the server, on which nothing is subscribed.
   *
   * @throws as {@linkcode openSideConnection} does
   */
  openSideConnection(): Promise<Introduced> {
    const { settings, onOtherServer } = this.#memory.options;
    const { signal } = this.#life;
    return openSideConnection(
      this.#address,
      this.#info,
      settings,
      signal,
      async (info, connection) => {
        await onOtherServer?.(info, connection);
        this.#warnOfOthers();
      },
    );
  }

  /** Its owner is about to end it: then this is what the gap says. */
  giveUp(reason: GapReason, from: number): void {
    this.#givenUp = { reason, from };
  }

  /** Ends it. */
  close(reason: Error): void {
    this.connection.close(reason);
  }

  override message(frame: MessageFrame): void {
    this.#count++;
    if (this.#hint !== null) this.#hint();
    if (this.#held === null) this.#deliver(frame);
    else this.#held.hold(frame, this.receivedAt, this.sentAfter);
  }

  override unusable(): void {
    this.#memory.malformed++;
  }

  override confirmed(channel: ServerChannel, subscribed: boolean): void {
    this.subscriptions.confirm(channel, subscribed);
    if (this.#held === null) this.deduplicator.reset();
    else this.#held.mark(this.#resetDeduplicator);
  }

  override released(channel: Uint8Array): void {
    const { events } = this.#memory.options;
    const provenAt = this.sentAfter;
    if (this.#held === null) events.onReleased?.(channel, provenAt);
    else this.#held.mark(() => events.onReleased?.(channel, provenAt));
  }

  override read(): Promise<void> | null {
    this.#heartbeat?.heard();
    return this.#dispatcher.yield();
  }

  override closed(reason: Error): void {
    this.#heartbeat?.stop();
    this.#side.close();
    this.subscriptions.close();
    this.#life.abort(reason);
    if (this.hasArrived) this.#memory.lose(this, reason);
  }

  /**
   * Looks at the server, asks for all desired channels, and then reports the gap and delivers what is
   * held.
   *
   * @throws when the server is not to be used
   * @throws the reason for which the connection is over
   */
  async start(): Promise<void> {
    const { options: { settings, events }, gap, end } = this.#memory;
    let problem: UndeliverableError | null;
    try {
      problem = await this.#prepare();
      do await this.subscriptions.reconcile(); while (this.subscriptions.isOutdated);
      problem ??= this.subscriptions.withdrawn();
      this.#life.signal.throwIfAborted();
    } catch (error) {
      this.close(error as Error);
      throw error;
    }
    // Before anybody is told: who is may close it all, and then it must be known to be lost.
    this.#state = "ready";
    this.#memory.arrive(this);
    repeat(settings.heartbeat.interval, this.#life.signal, () => this.#checkUp());
    if (problem !== null) this.#degrade(problem);
    else if (this.#enter("ready", null)) gap.end();
    else return;
    const held = this.#held;
    this.#held = null;
    held?.release(this, (frame) => this.#deliver(frame), end);
    if (held?.dropped) events.onDropped(held.dropped);
  }

  /** Does what comes before anything is subscribed. RESP2 answers no such question afterwards. */
  async #prepare(): Promise<UndeliverableError | null> {
    const { connection } = this;
    const { locator, inspect, settings, probe = () => PING, events } = this.#memory.options;
    const askedAt = connection.lastAckAt;
    await locator.inspect(this.#info, connection);
    await inspect(this.#info, connection, askedAt);
    // Nobody would stop its timers.
    this.#life.signal.throwIfAborted();
    this.#heartbeat = new Heartbeat(
      connection,
      settings.heartbeat,
      probe(this.#info),
      () => this.#count,
      () => void this.#checkUp(false),
    );
    const finding = this.#findUndeliverable(connection);
    const isResp2 = this.#info.protocol === 2;
    if (isResp2) await finding;
    const connected = events.onConnected?.(connection, this.#info, this.#side.withConnection);
    // In RESP3 all of it takes one round trip: what comes by these channels is held until then.
    const subscribed = isResp2 || this.#held === null ? null : this.subscriptions.reconcile();
    const [problem] = await Promise.all([finding, connected, subscribed]);
    return problem;
  }

  /** Changes the server's state, as long as it is not over; false when it is then. */
  #enter(state: "ready" | "degraded", error: Error | null): boolean {
    if (this.closedReason !== null) return false;
    this.#state = state;
    this.#memory.enter(state, error);
    return this.closedReason === null;
  }

  readonly #resetDeduplicator = (): void => this.deduplicator.reset();

  #deliver(frame: MessageFrame): void {
    const memory = this.#memory;
    memory.messages++;
    memory.lastMessage = this.receivedAt;
    this.#lastSentAfter = this.sentAfter;
    if (!this.#dispatcher.deliver(frame, this)) memory.malformed++;
  }

  /**
   * Sees whether the flags still let through the desired channels.
   *
   * @param isRegular whether it is time to ask what else is to be asked as well
   */
  async #checkUp(isRegular = true): Promise<void> {
    const { options: { checkUp, settings, events }, deliveryCheck, gap } = this.#memory;
    const looksAtFlags = this.#state === "ready" && deliveryCheck.isTold;
    const askMore = isRegular ? checkUp : undefined;
    if (askMore === undefined && !looksAtFlags) return;
    try {
      await this.withConnection(async (asked) => {
        await askMore?.(asked);
        if (!looksAtFlags) return;
        const loss = await deliveryCheck.recheck(
          asked,
          this.#dispatcher.registry.values(),
          // The heartbeat keeps the time of its own connection.
          asked === this.connection,
          this.#lastSentAfter,
        );
        if (loss === null) return;
        if (loss.error === null) return settings.onWarning(loss.message);
        // What it was asked on may be over by now; the next session looks at the flags anew.
        if (this.closedReason !== null || this.#state !== "ready") return;
        events.onLost("unresponsive", loss.from);
        gap.begin("unresponsive", loss.from);
        this.#degrade(loss.error);
      });
    } catch {
      // What breaks meanwhile is found out by the heartbeat, and by coming back.
    }
  }

  /** Lets the gap last while nothing can come on a desired channel although the server is connected. */
  async #degrade(why: UndeliverableError): Promise<void> {
    const { gap } = this.#memory;
    if (!this.#enter("degraded", why)) return;
    gap.tell();
    if (this.closedReason !== null) return;
    this.#reportDegraded(why);
    // Only the first message is a hint, because it may be of a channel that can always receive.
    const hinted = new Promise<void>((resolve) => {
      this.#hint = () => {
        this.#hint = null;
        resolve();
      };
    });
    let last: UndeliverableError | null = why;
    for (let ms = FIRST_RECHECK_MS; last !== null; ms = Math.min(2 * ms, MAX_RECHECK_MS)) {
      try {
        const pause = delay(ms, this.#life.signal);
        await (this.#hint === null ? pause : Promise.race([pause, hinted]));
        const still: UndeliverableError | null = await this.withConnection((asked) =>
          this.#findUndeliverable(asked)
        ) ??
          await this.subscriptions.retry();
        const isNew = still !== null && still.message !== last.message;
        if (isNew && this.#enter("degraded", still)) this.#reportDegraded(still);
        last = still;
      } catch (error) {
        // Where the address leads to another server now, only a new connection can be asked.
        if (error instanceof OtherServerError) this.close(error);
        // The next session checks again. A server that is only busy is asked again.
        if (this.closedReason !== null) return;
      }
    }
    this.#hint = null;
    if (this.#enter("ready", null)) gap.end();
  }

  /** Why nothing can come on a desired channel; null when something can. */
  #findUndeliverable(connection: Connection): Promise<UndeliverableError | null> {
    return this.#memory.deliveryCheck.checkAll(connection, this.#dispatcher.registry.values());
  }

  #reportDegraded(why: UndeliverableError): void {
    const { settings } = this.#memory.options;
    const isRefused = why instanceof SubscribeRefusedError;
    if (settings.flags === "warn" && !isRefused) settings.onWarning(why.message);
    else settings.onError(why);
  }

  #warnOfOthers(): void {
    // What was left for the other one, has only moved.
    if (this.#memory.hasWarned || this.closedReason !== null || !this.hasArrived) return;
    this.#memory.hasWarned = true;
    this.#memory.options.settings.onWarning(
      `${this.connection.server} leads to several servers, and notifications come from one of ` +
        "them. Its flags, databases and role cannot be checked in RESP2 where a second connection " +
        "reaches another server; use the address of one server, or RESP3",
    );
  }
}
