import type { MessageFrame, Reply } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { MessageReceiver } from "./connection/receiver.ts";
import { delay, repeat } from "./connection/timers.ts";
import { ConnectError, TimeoutError } from "./connection/errors.ts";
import {
  type Introduced,
  nameLibrary,
  openConnection,
  type ServerInfo,
} from "./connection/handshake.ts";
import { Heartbeat, PING, type Probe } from "./heartbeat.ts";
import type { ServerChannel } from "./connection/requests.ts";
import type { Address } from "./connection/transport.ts";
import type { Consumer } from "./delivery.ts";
import { SubscribeRefusedError } from "./errors.ts";
import { EventDeduplicator } from "./event_deduplicator.ts";
import type { GapReason } from "./gap.ts";
import { type DroppedMessages, HeldMessages } from "./held_messages.ts";
import type { Dispatcher, Gate, MessageSource } from "./dispatcher.ts";
import type { Locator } from "./locator.ts";
import type { Settings } from "./options.ts";
import type { SideConnection, WithConnection } from "./side_connection.ts";
import type { DeliveryCheck, UndeliverableError } from "./flags.ts";
import type { NodeState } from "./status.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * How long to wait before a degraded server is checked again, in ms. The time doubles up to the
 * maximum, because each check takes a connection in RESP2.
 */
const FIRST_RECHECK_MS = 200;
const MAX_RECHECK_MS = 2_000;

/** Whoever has a server watched. */
export interface ServerOwner {
  /**
   * Inspects a server before anything is subscribed, on a connection that takes any command.
   *
   * @throws if the server is not to be watched
   */
  inspect(info: ServerInfo, connection: Connection, askedAt: number): void | Promise<void>;
  /** Returns the command of the heartbeat. Default: `PING`. */
  probe?(info: ServerInfo): Probe;
  /**
   * Checks the server in the interval of the heartbeat, on its connection, or in RESP2 on a side
   * connection.
   */
  checkUp?(connection: Connection, session: Session): Promise<void>;
  /**
   * A side connection has reached another server at the same address. Its replies are ignored, and it
   * is closed afterwards.
   */
  onOtherServer?(info: ServerInfo, connection: Connection, session: Session): Promise<void>;
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or the
   * server is degraded. They are not missing any more once the server is ready.
   *
   * @param hasChannels whether the server had confirmed any channels
   */
  onLost(reason: GapReason, from: number, hasChannels: boolean): void;
  /**
   * The state has changed. What came meanwhile is delivered after the server has become ready or
   * degraded.
   */
  onState(): void;
  /** Messages were dropped because too many came before that. */
  onDropped(dropped: DroppedMessages): void;
  /** The server is watched no more, because it was closed or could not be reached again. */
  onEnd?(reason: Error): void;
}

/** Filters the notifications of a server, for which it follows the connections. */
export interface ServerGate extends Gate {
  /** The server is connected. The desired channels are subscribed once the promise resolves. */
  connected(
    connection: Connection,
    info: ServerInfo,
    withConnection: WithConnection,
  ): Promise<void>;
  /**
   * The server has ended the subscription of a shard channel, at this place among the messages.
   *
   * @param provenAt a time before that, in ms since the epoch
   */
  released(channel: Uint8Array, provenAt: number): void;
}

/** What a server needs. */
export interface ServerOptions {
  /** Locates the server. */
  readonly locator: Locator;
  /** The options, resolved. */
  readonly settings: Settings;
  /** Delivers the messages. */
  readonly dispatcher: Dispatcher;
  /** Filters notifications before they are delivered; null if nothing does. */
  readonly gate: ServerGate | null;
  /** Receives what happens. */
  readonly owner: ServerOwner;
}

/** What a server keeps from one session to the next. */
export interface ServerMemory {
  readonly options: ServerOptions;
  /** Loaded with the first connection; null before, and if flags and databases are ignored. */
  deliveryCheck: DeliveryCheck | null;
  /** The channels that the server refused, by id. */
  readonly refused: Map<string, Error>;
  /** The number of messages received, and of those that are no notifications. */
  messages: number;
  malformed: number;
  /** When the last message was read, in ms since the epoch; null before the first. */
  lastMessage: number | null;
  /** Whether a warning was given that the address leads to several servers. */
  hasWarned: boolean;
  /** Aborted when the server is closed. */
  readonly end: AbortSignal;
  /** Sets the state of the server, and its error. */
  enter(state: NodeState, error: Error | null): void;
  /** A session has requested every desired channel. */
  arrive(session: Session): void;
  /** A session that had requested every desired channel has ended. */
  lose(session: Session, reason: Error): void;
}

/**
 * One connection to a server, and everything that ends with it: heartbeat, confirmed channels, held
 * messages, side connection.
 *
 * A session that has ended reports nothing, so its owner need not compare it with the current one.
 */
export class Session extends MessageReceiver implements MessageSource {
  readonly connection: Connection;
  readonly subscriptions: Subscriptions;
  readonly deduplicator: EventDeduplicator<Consumer> = new EventDeduplicator();
  readonly gate: ServerGate | null;
  readonly #memory: ServerMemory;
  readonly #dispatcher: Dispatcher;
  readonly #address: Address;
  readonly #life = new AbortController();
  /** Messages that wait until a gap is reported, or a check is done; null if none have to. */
  #held: HeldMessages | null;
  /** The number of checks under way that subscriptions wait for. */
  #checks = 0;
  #info!: ServerInfo;
  /** Takes the commands in RESP2; null in RESP3. */
  #side: SideConnection | null = null;
  /** Whether a push reports a flush; null if none do. */
  #isFlush: ((items: readonly Reply[]) => boolean) | null = null;
  #heartbeat: Heartbeat | null = null;
  /** `arriving` until every desired channel was requested. */
  #state: "arriving" | "ready" | "degraded" = "arriving";
  /** The reason and the latest beginning of the gap after it; null unless the owner ends it. */
  #givenUp: { readonly reason: GapReason; readonly from: number } | null = null;
  /** The number of messages received. */
  #count = 0;
  /** A time before which the server did not send the last message, in ms since the epoch. */
  #lastSentAfter = 0;

  private constructor(memory: ServerMemory, connection: Connection, address: Address) {
    super();
    const { settings, dispatcher, gate } = memory.options;
    this.#memory = memory;
    this.#dispatcher = dispatcher;
    this.gate = gate;
    this.connection = connection;
    this.#address = address;
    this.#held = new HeldMessages(settings.queue);
    this.subscriptions = new Subscriptions(
      connection,
      dispatcher.registry,
      memory.refused,
      () => this.#side?.whenAnswered() ?? null,
    );
  }

  /**
   * Opens a connection and shakes hands.
   *
   * @throws as {@linkcode openConnection} does
   */
  static async open(
    memory: ServerMemory,
    address: Address,
    signal: AbortSignal,
  ): Promise<Session> {
    let session!: Session;
    const { connection, info } = await openConnection({
      ...memory.options.settings,
      address,
      signal,
      receive: (connection) => session = new Session(memory, connection, address),
    });
    nameLibrary(connection);
    session.#info = info;
    if (info.protocol === 2) {
      const { SideConnection } = await import("./on_demand.ts");
      session.#side = new SideConnection({
        connection,
        isIdle: () => session.subscriptions.isIdle && !connection.hasShardChannels,
        openSideConnection: () => session.openSideConnection(),
      });
    }
    return session;
  }

  /** What the server reported about itself. */
  get info(): ServerInfo {
    return this.#info;
  }

  /** The server has reported its role again. */
  setRole(role: ServerInfo["role"]): void {
    this.#info = { ...this.#info, role };
  }

  /** Whether the session has requested every desired channel. */
  get hasArrived(): boolean {
    return this.#state !== "arriving";
  }

  /** Why the session has ended; null while it has not. */
  get closedReason(): Error | null {
    return this.connection.closedReason;
  }

  /** Bytes in memory between the socket and the queues. */
  get buffered(): number {
    return this.connection.buffered + (this.#held?.bytes ?? 0);
  }

  /** How long the server has sent nothing since an unanswered `PING`, in ms; 0 if none is unanswered. */
  get silentFor(): number {
    return this.#heartbeat?.silentFor ?? 0;
  }

  /** The gap that the end of the session begins: its reason, and its beginning in ms since the epoch. */
  loss(reason: Error): { reason: GapReason; from: number } {
    const { reason: why, from } = this.#givenUp ?? {
      reason: reason instanceof TimeoutError ? "unresponsive" : "disconnected",
      from: Infinity,
    };
    return { reason: why, from: Math.min(this.connection.lastAckAt, from) };
  }

  /** Has silence noticed as soon as on a busy connection, because an answer of the server is awaited. */
  expect(): void {
    this.#heartbeat?.expect();
  }

  /** Does something on this connection, or in RESP2 on a side connection. */
  readonly withConnection: WithConnection = (work) =>
    this.#side?.withConnection(work) ?? work(this.connection);

  /**
   * Opens a side connection to the server.
   *
   * @param onClosed called when it is closed
   * @throws {ConnectError} if it reaches another server
   * @throws as {@linkcode openConnection} does
   */
  async openSideConnection(onClosed: (reason: Error) => void = () => {}): Promise<Introduced> {
    const opened = await openConnection({
      ...this.#memory.options.settings,
      address: this.#address,
      signal: this.#life.signal,
      // Every server speaks it, and nothing is subscribed on a second connection.
      protocol: 2,
      receive: () => Object.assign(new MessageReceiver(), { closed: onClosed }),
    });
    const { refuseOther } = await import("./on_demand.ts");
    await refuseOther(opened, this, this.#memory);
    return opened;
  }

  /** Says which gap begins when the owner ends the session. */
  giveUp(reason: GapReason, from: number): void {
    this.#givenUp = { reason, from };
  }

  /** Ends the session. */
  close(reason: Error): void {
    this.connection.close(reason);
  }

  override message(frame: MessageFrame): void {
    this.#count++;
    if (this.#held === null) this.#deliver(frame);
    else this.#held.hold(frame, this.receivedAt, this.sentAfter);
  }

  override unusable(items: readonly Reply[]): void {
    if (this.#isFlush?.(items)) this.#inOrder(this.#reportFlush);
    else this.#memory.malformed++;
  }

  override confirmed(channel: ServerChannel, subscribed: boolean): void {
    this.subscriptions.confirm(channel, subscribed);
    if (this.#checks > 0) this.#held ??= new HeldMessages();
    this.#inOrder(this.#resetDeduplicator);
  }

  override released(channel: Uint8Array): void {
    this.#inOrder(() => this.gate?.released(channel, this.sentAfter));
  }

  /** Makes a call now, or at this place among the messages that are held. */
  #inOrder(call: () => void): void {
    if (this.#held === null) call();
    else this.#held.mark(call, this.receivedAt, this.sentAfter);
  }

  override read(): Promise<void> | null {
    this.#heartbeat?.heard();
    return this.#dispatcher.yield();
  }

  override closed(reason: Error): void {
    // The gap that follows may begin after what is held.
    if (this.hasArrived) this.#release();
    this.#heartbeat?.stop();
    this.#side?.close();
    this.subscriptions.close();
    this.#life.abort(reason);
    if (this.hasArrived) this.#memory.lose(this, reason);
  }

  /**
   * Inspects the server, subscribes every desired channel, and delivers what is held.
   *
   * @throws if the server is not to be watched
   * @throws the reason for which the session has ended
   */
  async start(): Promise<void> {
    const { settings } = this.#memory.options;
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
    // Before the owner is called, which may close the server: then the session must count as lost.
    this.#state = "ready";
    this.#memory.arrive(this);
    repeat(settings.heartbeat.interval, this.#life.signal, () => this.#checkUp());
    if (problem !== null) this.#degrade(problem);
    else if (!this.#enter("ready", null)) return;
    this.#release();
  }

  /** Holds what comes after the next confirmation until a check is done. */
  async holdUntil(check: Promise<unknown>): Promise<void> {
    this.#checks++;
    await Promise.allSettled([check]);
    if (--this.#checks === 0) this.#release();
  }

  /** Delivers what is held. */
  #release(): void {
    const { options: { owner }, end } = this.#memory;
    const held = this.#held;
    this.#held = null;
    held?.release(this, (frame) => this.#deliver(frame), end);
    if (held?.dropped) owner.onDropped(held.dropped);
  }

  /** Does what RESP2 allows only before anything is subscribed. */
  async #prepare(): Promise<UndeliverableError | null> {
    const { connection } = this;
    const { settings, owner } = this.#memory.options;
    await owner.inspect(this.#info, connection, connection.lastAckAt);
    // The heartbeat of a session that has ended would never be stopped.
    this.#life.signal.throwIfAborted();
    this.#heartbeat = new Heartbeat(
      connection,
      settings.heartbeat,
      owner.probe?.(this.#info) ?? PING,
      () => this.#count,
      () => void this.#checkUp(false),
    );
    const finding = this.#findUndeliverable(connection);
    const tracking = this.#trackFlushes();
    const isResp2 = this.#info.protocol === 2;
    if (isResp2) await Promise.all([finding, tracking]);
    const connected = this.gate?.connected(connection, this.#info, this.withConnection);
    // In RESP3 all of it takes one round trip. Messages are held meanwhile.
    const subscribed = isResp2 ? null : this.subscriptions.reconcile();
    const [problem] = await Promise.all([finding, connected, subscribed, tracking]);
    return problem;
  }

  /** Has the server report flushes, if that is wanted and allowed. */
  async #trackFlushes(): Promise<void> {
    const { settings } = this.#memory.options;
    if (settings.flushes === null) return;
    const { isFlush, trackFlushes } = await import("./flushes.ts");
    this.#isFlush = isFlush;
    await trackFlushes(this, settings, this.#life.signal);
  }

  /** Sets the state of the server unless the session has ended. Returns whether it has not. */
  #enter(state: "ready" | "degraded", error: Error | null): boolean {
    if (this.closedReason !== null) return false;
    this.#state = state;
    this.#memory.enter(state, error);
    return this.closedReason === null;
  }

  readonly #resetDeduplicator = (): void => this.deduplicator.reset();

  readonly #reportFlush = (): void => {
    const flush = { kind: "flush", node: this.connection.server, at: this.receivedAt } as const;
    const report = () => this.#dispatcher.reportFlush(flush);
    if (this.gate === null) report();
    else this.gate.mark(report);
  };

  #deliver(frame: MessageFrame): void {
    const memory = this.#memory;
    memory.messages++;
    memory.lastMessage = this.receivedAt;
    this.#lastSentAfter = this.sentAfter;
    if (!this.#dispatcher.deliver(frame, this)) memory.malformed++;
  }

  /**
   * Checks whether the server can still deliver the desired channels, which a connection that lives does
   * not show.
   *
   * @param isRegular whether the check of the owner is due as well
   */
  async #checkUp(isRegular = true): Promise<void> {
    const { options: { owner, settings }, deliveryCheck } = this.#memory;
    const looksAtFlags = this.#state === "ready" && deliveryCheck !== null && deliveryCheck.isTold;
    const asksMore = isRegular && owner.checkUp !== undefined;
    if (!asksMore && !looksAtFlags) return;
    try {
      await this.withConnection(async (asked) => {
        if (asksMore) await owner.checkUp!(asked, this);
        if (!looksAtFlags) return;
        const loss = await deliveryCheck.recheck(
          asked,
          this.#dispatcher.registry.values(),
          // The heartbeat limits the time of commands on its own connection.
          asked === this.connection,
          this.#lastSentAfter,
        );
        if (loss === null) return;
        if (loss.error === null) return settings.onWarning(loss.message);
        // The next session checks the flags again.
        if (this.closedReason !== null || this.#state !== "ready") return;
        owner.onLost("unresponsive", loss.from, true);
        this.#degrade(loss.error);
      });
    } catch {
      // The heartbeat notices a lost connection, and the next session checks again.
    }
  }

  /** Lets the gap last while nothing can come on a desired channel although the server is connected. */
  async #degrade(why: UndeliverableError): Promise<void> {
    if (!this.#enter("degraded", why)) return;
    this.#reportDegraded(why);
    let last: UndeliverableError | null = why;
    for (let ms = FIRST_RECHECK_MS; last !== null; ms = Math.min(2 * ms, MAX_RECHECK_MS)) {
      try {
        await delay(ms, this.#life.signal);
        const still: UndeliverableError | null = await this.withConnection((asked) =>
          this.#findUndeliverable(asked)
        ) ??
          await this.subscriptions.retry();
        const isNew = still !== null && still.message !== last.message;
        if (isNew && this.#enter("degraded", still)) this.#reportDegraded(still);
        last = still;
      } catch (error) {
        // Where the address leads to another server now, only a new connection can be asked.
        if (isOtherServer(error)) this.close(error as Error);
        // The next session checks again. A server that is only busy is asked again.
        if (this.closedReason !== null) return;
      }
    }
    this.#enter("ready", null);
  }

  /** Why the server can deliver nothing on a desired channel; null if it can, or nothing checks it. */
  async #findUndeliverable(connection: Connection): Promise<UndeliverableError | null> {
    const { deliveryCheck } = this.#memory;
    return await deliveryCheck?.checkAll(connection, this.#dispatcher.registry.values()) ?? null;
  }

  #reportDegraded(why: UndeliverableError): void {
    const { settings } = this.#memory.options;
    const isRefused = why instanceof SubscribeRefusedError;
    if (settings.flags === "warn" && !isRefused) settings.onWarning(why.message);
    else settings.onError(why);
  }
}

/** Whether a second connection to an address has reached another server than the first one. */
export function isOtherServer(error: unknown): boolean {
  return error instanceof ConnectError && error.code === "OTHER_SERVER";
}
