import { formatAddress } from "./connection/address.ts";
import { backoff } from "./backoff.ts";
import { Change } from "./connection/change.ts";
import { type Connection, MessageReceiver } from "./connection/connection.ts";
import { ConnectError, TimeoutError } from "./connection/errors.ts";
import type { GapReason } from "./gap.ts";
import { type Introduced, nameLibrary, type ServerInfo } from "./connection/handshake.ts";
import { Heartbeat } from "./connection/heartbeat.ts";
import { HeldMessages } from "./held_messages.ts";
import { MutePoll } from "./mute_poll.ts";
import { OpenGap } from "./open_gap.ts";
import { openBeside, openServer, OtherServerError, Questions } from "./questions.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { Retries } from "./retries.ts";
import type { SilenceError } from "./silence_guard.ts";
import type { NodeState } from "./status.ts";
import type { SubscriberOptions } from "./subscriber_options.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Address } from "./connection/transport.ts";

/**
 * One server, on which what is wanted is laid against what it has confirmed, through every loss of
 * the connection.
 */
export class Subscriber {
  /** The server, as `host:port`. */
  node: string;
  /** What the server says of itself; null before it was reached. */
  info: ServerInfo | null = null;
  /** How it stands. */
  state: NodeState = "connecting";
  /** Since when, in ms since the epoch. */
  since: number = Date.now();
  /** What went wrong last; null while it is ready. */
  error: Error | null = null;
  readonly #options: SubscriberOptions;
  readonly #subscriptions: Subscriptions;
  readonly #end = new AbortController();
  /** Ends the connection that is, or is being made. */
  #attempt = new AbortController();
  #address: Address | null = null;
  #connection: Connection | null = null;
  #heartbeat: Heartbeat | null = null;
  /** The connection that is being made, and the messages held until it is ready. */
  #arriving: { readonly connection: Connection; readonly held: HeldMessages | null } | null = null;
  /** Asks the server, on that connection or the one that is being made. */
  #questions: Questions | null = null;
  /** Bytes that earlier connections have received. */
  #bytesBefore = 0;
  readonly #mutePoll = new MutePoll();
  /** Closed while everything wanted is covered. */
  readonly #gap: OpenGap;
  readonly #retries = new Retries();
  /** Why the owner gave the connection up, and since when it was of no use; null when it did not. */
  #givenUp: { reason: GapReason; from: number } | null = null;
  readonly #change = new Change();

  constructor(options: SubscriberOptions) {
    this.node = options.locator.name;
    this.#options = options;
    this.#gap = new OpenGap((...gap) => options.events.onGap(...gap));
    this.#subscriptions = new Subscriptions(options.wanted, () => this.#questions!.whenAnswered());
  }

  /**
   * Connects for the first time; from then on it comes back by itself.
   *
   * @throws {ConnectError} when there is no server there that understands
   * @throws {AuthError} when it refuses the credentials or wants some
   * @throws {TimeoutError} when it does not answer in time
   */
  async start(): Promise<void> {
    const { timeout, locator } = this.#options;
    const deadline = performance.now() + timeout;
    for (let failed = 1;; failed++) {
      try {
        return await this.#connect();
      } catch (error) {
        const left = deadline - performance.now();
        if (this.state === "closed" || left <= 0 || !locator.isPassing(error as Error)) {
          this.#finish(error as Error);
          throw error;
        }
        await this.#change.next(Math.min(left, backoff(failed, Math.random())));
      }
    }
  }

  /**
   * Connects, and tries until it can: a failure is no end. Until it is connected the gap is open,
   * so that what comes first comes after it.
   */
  launch(reason: GapReason, from: number): void {
    this.#gap.begin(reason, from);
    this.#comeBack(
      new ConnectError("NOT_CONNECTED", `${this.node} has not been reached yet`),
      "connecting",
    );
  }

  /** How many attempts to connect have failed in a row; 0 while it is connected. */
  get failures(): number {
    return this.#retries.failures;
  }

  /** The channels the server has confirmed. */
  get confirmed(): Iterable<ServerChannel> {
    return this.#subscriptions.confirmed;
  }

  /** Whether the server has confirmed all that is wanted, and no more. */
  get agrees(): boolean {
    return this.#subscriptions.agrees;
  }

  /** Bytes read so far, over all connections. */
  get bytesReceived(): number {
    return this.#bytesBefore + (this.#connection?.bytesReceived ?? 0);
  }

  /** For how long a `PING` under way has not been answered, nor anything else come, in ms; else 0. */
  get silentFor(): number {
    return this.#heartbeat?.silentFor ?? 0;
  }

  /** Something is awaited from the server: if it does not answer, that is noticed as on a busy connection. */
  expect(): void {
    this.#heartbeat?.expect();
  }

  /** Bytes in memory between the socket and the queues. */
  get buffered(): number {
    const { connection, held } = this.#arriving ?? { connection: this.#connection, held: null };
    return (connection?.buffered ?? 0) + (held?.bytes ?? 0);
  }

  /**
   * Waits until the server has confirmed channels that are wanted, or refused them.
   *
   * @param channels wanted channels
   * @returns those it refused, with its error; a refused channel spoils no other
   * @throws {TimeoutError} when the server cannot be reached in time
   * @throws the reason for which the subscriber ended
   */
  async settle<Channel extends { readonly id: string }>(
    channels: readonly Channel[],
  ): Promise<{ channel: Channel; error: Error }[]> {
    return await this.#persist((connection) => this.#subscriptions.settle(connection, channels));
  }

  /**
   * Lays wanted against confirmed until they agree; one run serves all who call meanwhile. While
   * there is no connection there is nothing to do: the next one asks for all that is wanted.
   */
  reconcile(): Promise<void> {
    this.#subscriptions.outdate();
    return this.#connection === null
      ? Promise.resolve()
      : this.#subscriptions.reconcile(this.#connection);
  }

  /**
   * Asks a question of the server, on this connection or another.
   *
   * @throws {ServerError} when the server refuses
   * @throws the reason for which the connection is over
   */
  ask<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#persist(() => this.#questions!.ask(question));
  }

  /**
   * As {@linkcode ask}, but it waits for no connection, neither where there is none nor where it breaks
   * meanwhile.
   */
  async askAtOnce<T>(question: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#connection === null) {
      throw new ConnectError("NOT_CONNECTED", `Cannot ask ${this.node}: it is not connected`, {
        server: this.node,
        cause: this.error,
      });
    }
    return await this.#questions!.ask(question);
  }

  /** The connection on which everything wanted has been asked for; null while there is none. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /**
   * Opens another connection to the server it was last connected to, on which nothing is subscribed.
   *
   * @throws as {@linkcode Subscriber.start} does
   */
  async openBeside(): Promise<Introduced> {
    return await openBeside(this.#address!, this.info!, this.#options, this.#end.signal);
  }

  /**
   * Gives the connection up, or the attempt to make one, and makes another at once; with a pause where
   * this was called a moment ago.
   *
   * @param reason why, in words
   * @param gap why, as the gap says that begins
   * @param from what came later than this does not count, in ms since the epoch
   */
  reconnect(reason: Error, gap: GapReason, from: number = Infinity): void {
    if (this.#connection !== null) this.#givenUp = { reason: gap, from };
    const isUrgent = this.#retries.hasten();
    this.#attempt.abort(reason);
    // Here, because the loss of the connection may just have begun a pause.
    if (isUrgent) this.#change.happen();
  }

  /**
   * Nothing can come on something wanted any more, though the connection lives. What it was asked on
   * may be over by now; the next one is looked at anew.
   *
   * @param from until when all could come, in ms since the epoch
   */
  mute(connection: Connection, why: SilenceError, from: number): void {
    if (connection !== this.#connection || this.state !== "ready") return;
    this.#options.events.onLost("unresponsive", from);
    this.#gap.begin("unresponsive", from);
    this.#fallMute(connection, why);
  }

  /** Ends everything, and every wait with the reason. */
  close(reason: Error): void {
    this.#finish(reason);
  }

  /** Opens a connection, shakes hands, and asks for all that is wanted. */
  async #connect(): Promise<void> {
    const { events, heartbeat: times, queue, wanted, silenceGuard, locator } = this.#options;
    const held = this.#gap.isOpen ? new HeldMessages(queue) : null;
    this.#end.signal.throwIfAborted();
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const address = await locator.locate(signal);
    this.node = formatAddress(address);
    let heartbeat: Heartbeat | null = null;
    let questions: Questions | null = null;
    let live = false;
    let messages = 0;
    let life!: AbortController;
    const receive = (connection: Connection) => {
      const receiver = new MessageReceiver();
      const end = life = new AbortController();
      receiver.message = (frame) => {
        const { receivedAt, sentAfter } = receiver;
        messages++;
        this.#mutePoll.hint?.();
        if (live || held === null) events.onMessage(frame, receivedAt, sentAfter);
        else held.hold(frame, receivedAt, sentAfter);
      };
      receiver.unusable = () => events.onUnusable();
      receiver.confirmed = (channel, subscribed) => {
        this.#subscriptions.confirm(channel, subscribed);
        if (live || held === null) events.onConfirmed();
        else held.mark(events.onConfirmed);
      };
      receiver.released = (channel) => {
        const provenAt = receiver.sentAfter;
        if (live || held === null) events.onReleased(channel, provenAt);
        else held.mark(() => events.onReleased(channel, provenAt));
      };
      receiver.read = () => {
        heartbeat?.heard();
        return events.onRead();
      };
      receiver.closed = (reason) => {
        heartbeat?.stop();
        questions?.close();
        end.abort(reason);
        if (live) this.#onLost(connection, reason);
      };
      return receiver;
    };
    const { connection, info } = await openServer(address, this.#options, signal, receive);
    nameLibrary(connection);
    questions = new Questions({
      connection,
      protocol: info.protocol,
      isIdle: () => this.#subscriptions.idle && !connection.hasShardChannels,
      openBeside: () => openBeside(address, info, this.#options, life.signal),
    });
    this.#questions = questions;
    this.#arriving = { connection, held };
    let mute: SilenceError | null;
    try {
      const askedAt = connection.provenAt;
      await locator.inspect(info, connection);
      await this.#options.inspect(info, connection, askedAt);
      if (connection.over !== null) throw connection.over;
      heartbeat = new Heartbeat(
        connection,
        times,
        this.#options.probe(info),
        () => messages,
        () => events.onFlowEnd(),
      );
      // Before anything is subscribed, because RESP2 answers no such question afterwards.
      mute = await silenceGuard.checkAll(connection, wanted.values());
      await events.onConnected(connection, info, questions.ask);
      await this.#subscriptions.reconcile(connection);
      // Whoever came meanwhile with something else that is wanted, or not, has found no connection.
      await this.#subscriptions.reconcile(connection);
      mute ??= this.#subscriptions.withdrawn(connection);
      // It may have ended between its last answer and here.
      if (connection.over !== null) throw connection.over;
    } catch (error) {
      this.#subscriptions.clear();
      connection.close(error as Error);
      throw error;
    } finally {
      this.#arriving = null;
    }
    this.info = info;
    this.#retries.connected();
    this.#address = address;
    this.#connection = connection;
    this.#heartbeat = heartbeat;
    // Before anybody is told: who is may close it all, and then it must be known to be lost.
    live = true;
    this.#gap.move(locator.takeMove());
    if (mute !== null) this.#fallMute(connection, mute);
    else {
      this.#enter("ready", null);
      if (connection.over !== null) return;
      this.#gap.end();
    }
    held?.release(events.onMessage, this.#end.signal);
    if (held?.dropped) events.onDropped(held.dropped);
  }

  /** Nothing can come on something wanted, though it is connected: so long the gap lasts. */
  async #fallMute(connection: Connection, why: SilenceError): Promise<void> {
    const { events } = this.#options;
    this.#enter("muted", why);
    if (connection.over !== null) return;
    this.#gap.tell();
    if (connection.over !== null) return;
    events.onMuted(why);
    try {
      await this.#mutePoll.run(async () => {
        if (connection.over !== null) throw connection.over;
        const still = await this.#whyMute(connection);
        if (connection.over === null && still !== null && still.message !== this.error?.message) {
          this.#enter("muted", still);
          events.onMuted(still);
        }
        return still !== null;
      }, this.#end.signal);
    } catch (error) {
      // The connection was lost, and the next one checks again; or everything has ended. Where the
      // address leads to another server now, only a new connection can be asked.
      if (error instanceof OtherServerError) connection.close(error);
      return;
    }
    if (connection !== this.#connection) return;
    this.#enter("ready", null);
    this.#gap.end();
  }

  async #whyMute(connection: Connection): Promise<SilenceError | null> {
    const { silenceGuard, wanted } = this.#options;
    return await this.ask((asked) => silenceGuard.checkAll(asked, wanted.values())) ??
      await this.#subscriptions.retry(connection);
  }

  #onLost(connection: Connection, reason: Error): void {
    this.#bytesBefore += connection.bytesReceived;
    this.#connection = null;
    this.#heartbeat = null;
    this.#retries.lost();
    const covered = this.#subscriptions.clear();
    if (this.state === "closed") return;
    const silent = reason instanceof TimeoutError;
    const gap = {
      reason: this.#givenUp?.reason ?? (silent ? "unresponsive" : "disconnected"),
      from: Math.min(connection.provenAt, this.#givenUp?.from ?? Infinity),
    };
    this.#givenUp = null;
    this.#options.events.onLost(gap.reason, gap.from);
    if (covered) this.#gap.begin(gap.reason, gap.from);
    this.#comeBack(reason);
  }

  async #comeBack(reason: Error, state: NodeState = "reconnecting"): Promise<void> {
    const { maxAttempts } = this.#options;
    let last = reason;
    while (this.failures < maxAttempts) {
      this.#enter(state, last);
      await this.#change.next(this.#retries.nextPause(Math.random()));
      this.#retries.begun();
      try {
        return await this.#connect();
      } catch (error) {
        if (this.#end.signal.aborted) return;
        last = error as Error;
        this.#retries.failed();
      }
    }
    this.#finish(
      maxAttempts === 0 ? reason : new ConnectError(
        "ATTEMPTS_EXHAUSTED",
        `Cannot come back to ${this.node}: ${maxAttempts} attempts failed, the last with: ` +
          last.message,
        { server: this.node, cause: last },
      ),
    );
  }

  #enter(state: NodeState, error: Error | null): void {
    if (this.state === "closed") return;
    if (this.state !== state) this.since = Date.now();
    this.state = state;
    this.error = error;
    this.#change.happen();
    this.#options.events.onState();
  }

  #finish(reason: Error): void {
    if (this.state === "closed") return;
    this.#enter("closed", reason);
    this.#end.abort(reason);
    this.#attempt.abort(reason);
    this.#gap.end();
    this.#options.events.onEnd(reason);
  }

  /** Does something on the connection, and again on the next one when it breaks meanwhile. */
  async #persist<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#options.timeout;
    for (;;) {
      const connection = await this.#whenConnected(deadline);
      try {
        return await work(connection);
      } catch (error) {
        if (connection.over === null) throw error;
      }
    }
  }

  /** Waits until there is a connection on which everything wanted has been asked for. */
  async #whenConnected(deadline: number): Promise<Connection> {
    for (;;) {
      if (this.#connection !== null) return this.#connection;
      if (this.state === "closed") throw this.error!;
      const left = deadline - performance.now();
      if (left <= 0) {
        const { timeout } = this.#options;
        throw new TimeoutError(
          "CONNECT_TIMEOUT",
          `Cannot reach ${this.node} within ${timeout} ms` +
            (this.error === null ? "" : `: ${this.error.message}`),
          timeout,
          { server: this.node, cause: this.error },
        );
      }
      await this.#change.next(left);
    }
  }
}
