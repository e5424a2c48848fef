import type { MessageFrame, Reply } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { MessageReceiver } from "./connection/receiver.ts";
import { repeat } from "./connection/timers.ts";
import { TimeoutError } from "./connection/errors.ts";
import {
  type Introduced,
  nameLibrary,
  openConnection,
  type ServerInfo,
} from "./connection/handshake.ts";
import { Heartbeat, PING } from "./heartbeat.ts";
import type { ServerChannel } from "./connection/requests.ts";
import type { Address } from "./connection/transport.ts";
import type { Consumer } from "./delivery.ts";
import { EventDeduplicator } from "./event_deduplicator.ts";
import type { GapReason } from "./gap.ts";
import { HeldMessages } from "./held_messages.ts";
import type { Dispatcher, MessageSource } from "./dispatcher.ts";
import type { SideConnection, WithConnection } from "./side_connection.ts";
import type { DeliveryCheck, UndeliverableError } from "./flags.ts";
import type { ServerGate, ServerOptions } from "./server_owner.ts";
import type { NodeState } from "./status.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What a server keeps from one session to the next. */
export interface ServerMemory {
  readonly options: ServerOptions;
  /** Loaded before the first session. */
  onDemand: typeof import("./on_demand.ts") | null;
  /** Null before that, and if flags and databases are ignored. */
  deliveryCheck: DeliveryCheck | null;
  /** The channels that the server refused, by id. */
  readonly refused: Map<string, Error>;
  /** The number of messages received, and of those that are not notifications. */
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
  /** A time before which the server did not send the last message, in ms since the epoch. */
  lastSentAfter = 0;
  /** Called for the next message; null if nobody waits for it. */
  onMessage: (() => void) | null = null;
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
  /** The same before the last read. */
  #countBefore = 0;

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
      session.#side = new memory.onDemand!.SideConnection({
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

  /** Aborted when the session ends. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Whether something can come on every desired channel, as far as is known. */
  get isReady(): boolean {
    return this.#state === "ready";
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
      signal: this.signal,
      // Every server speaks it, and nothing is subscribed on a second connection.
      protocol: 2,
      receive: () => Object.assign(new MessageReceiver(), { closed: onClosed }),
    });
    await this.#memory.onDemand!.refuseOther(opened, this, this.#memory);
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
    this.onMessage?.();
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
    // Once for all that a read brings: a time takes memory of its own where it is kept.
    if (this.#count !== this.#countBefore) this.#memory.lastMessage = this.receivedAt;
    this.#countBefore = this.#count;
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
      this.signal.throwIfAborted();
    } catch (error) {
      this.close(error as Error);
      throw error;
    }
    // Before the owner is called, which may close the server: then the session must count as lost.
    this.#state = "ready";
    this.#memory.arrive(this);
    const { checkUp, degrade } = this.#memory.onDemand!;
    repeat(settings.heartbeat.interval, this.signal, () => checkUp(this, this.#memory, true));
    if (problem !== null) degrade(this, this.#memory, problem);
    else if (!this.enter("ready", null)) return;
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
    const memory = this.#memory;
    const { deliveryCheck, options: { dispatcher, owner, settings } } = memory;
    await owner.inspect(this.#info, connection, connection.lastAckAt);
    // The heartbeat of a session that has ended would never be stopped.
    this.signal.throwIfAborted();
    this.#heartbeat = new Heartbeat(
      connection,
      settings.heartbeat,
      owner.probe?.(this.#info) ?? PING,
      () => this.#count,
      () => void memory.onDemand!.checkUp(this, memory, false),
    );
    // A `subscribe` that is under way has its own channels checked.
    const promised = [...dispatcher.registry.values()].filter(({ isPromised }) => isPromised);
    const finding = deliveryCheck?.checkAll(connection, promised) ?? null;
    const tracking = this.#trackFlushes();
    const isResp2 = this.#info.protocol === 2;
    if (isResp2) await Promise.all([finding, tracking]);
    const connected = this.gate?.connected(connection, this.#info, this.withConnection);
    // In RESP3 all of it takes one round trip. Messages are held meanwhile.
    const subscribed = isResp2 ? null : this.subscriptions.reconcile();
    const [problem] = await Promise.all([finding, connected, subscribed, tracking]);
    return problem;
  }

  /** Has the server report flushes, if that is requested and allowed. */
  async #trackFlushes(): Promise<void> {
    const { settings } = this.#memory.options;
    if (settings.flushes === null) return;
    const { isFlush, trackFlushes } = await import("./flushes.ts");
    this.#isFlush = isFlush;
    await trackFlushes(this, settings, this.signal);
  }

  /** Sets the state of the server unless the session has ended. Returns whether it has not. */
  enter(state: "ready" | "degraded", error: Error | null): boolean {
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
    this.lastSentAfter = this.sentAfter;
    if (!this.#dispatcher.deliver(frame, this)) memory.malformed++;
  }
}
