import { decodeText } from "../resp/mod.ts";
import { formatAddress } from "./connection/transport.ts";
import { Signal } from "./connection/timers.ts";
import type { Connection } from "./connection/connection.ts";
import { ConnectError, TimeoutError } from "./connection/errors.ts";
import { isOtherServer } from "./connection/info.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { GapReason } from "./gap.ts";
import type { Desired, Refusal } from "./dispatcher.ts";
import { backoff, Retries } from "./retries.ts";
import type { ServerOptions } from "./server_owner.ts";
import { type ServerMemory, Session } from "./session.ts";
import type { CheckedChannel, FindUndeliverable } from "./flags.ts";
import type { NodeState, NodeStatus } from "./status.ts";

/** A delivery check that has not begun. */
interface NextCheck {
  /** The channels of each subscription that waits for it. */
  readonly groups: (readonly CheckedChannel[])[];
  /** Resolves once the server is asked. */
  readonly asked: Promise<void>;
  readonly found: Promise<FindUndeliverable>;
}

/** One server that is watched. When a session ends, the next one begins. */
export class Server {
  /** The address of the server, as `host:port`. */
  node: string;
  /** The state of the server. */
  state: NodeState = "connecting";
  readonly #options: ServerOptions;
  readonly #memory: ServerMemory;
  readonly #end = new AbortController();
  /** Ends the current session, or the attempt to begin one. */
  #attempt = new AbortController();
  /** The session that has requested every desired channel; null while there is none. */
  #session: Session | null = null;
  /** The session that has not requested every desired channel yet. */
  #arriving: Session | null = null;
  /** The time of the last change of the state, in ms since the epoch. */
  #since = Date.now();
  /** What the server reported in the last session; null before the first one. */
  #lastInfo: ServerInfo | null = null;
  /** The last error; null while the server is ready. */
  #error: Error | null = null;
  /** Bytes that earlier sessions received. */
  #bytesBefore = 0;
  readonly #retries = new Retries();
  readonly #changed = new Signal();
  /** The delivery check under way, or the last one. */
  #check: Promise<unknown> = Promise.resolve();
  #nextCheck: NextCheck | null = null;

  constructor(options: ServerOptions) {
    this.node = options.locator.name;
    this.#options = options;
    this.#memory = {
      options,
      onDemand: null,
      deliveryCheck: null,
      refused: new Map(),
      messages: 0,
      malformed: 0,
      lastMessage: null,
      hasWarned: false,
      end: this.#end.signal,
      enter: (state, error) => this.#enter(state, error),
      arrive: (session) => this.#arrive(session),
      lose: (session, reason) => this.#lose(session, reason),
    };
  }

  /**
   * Connects for the first time. Afterwards the server is reconnected automatically.
   *
   * @throws {ConnectError} if no server answers there
   * @throws {AuthError} if the server refuses the credentials or requires some
   * @throws {TimeoutError} if the server does not answer in time
   */
  async start(): Promise<void> {
    const { settings: { timeout }, locator } = this.#options;
    const deadline = performance.now() + timeout;
    for (let failed = 1;; failed++) {
      try {
        return await this.#connect();
      } catch (error) {
        const left = deadline - performance.now();
        if (this.state === "closed" || left <= 0 || !locator.isPassing?.(error as Error)) {
          this.close(error as Error);
          throw error;
        }
        await this.#changed.wait(Math.min(left, backoff(failed)));
      }
    }
  }

  /** Connects, and retries until it succeeds. */
  launch(): void {
    this.#reconnect(
      new ConnectError("NOT_CONNECTED", `${this.node} has not been reached yet`),
      "connecting",
    );
  }

  /** What the server reports about itself; null before the first connection. */
  get info(): ServerInfo | null {
    return this.#session?.info ?? this.#lastInfo;
  }

  /** The number of attempts to connect that failed in a row; 0 while connected. */
  get failures(): number {
    return this.#retries.failures;
  }

  /** Whether the server has confirmed exactly the desired channels. */
  get agrees(): boolean {
    return this.#session?.subscriptions.agrees ?? false;
  }

  /** The number of messages received. */
  get messages(): number {
    return this.#memory.messages;
  }

  /** How long the server has sent nothing since an unanswered `PING`, in ms; 0 if none is unanswered. */
  get silentFor(): number {
    return this.#session?.silentFor ?? 0;
  }

  /** The connection of the current session; null while there is none. */
  get connection(): Connection | null {
    return this.#session?.connection ?? null;
  }

  /** The state and the figures of the server. */
  status(): NodeStatus {
    const { node, state, info } = this;
    const { messages, malformed, lastMessage, deliveryCheck } = this.#memory;
    const session = this.#session ?? this.#arriving;
    return {
      node,
      state,
      since: this.#since,
      error: this.#error?.message ?? null,
      software: info?.software ?? null,
      version: info?.version ?? null,
      role: info?.role ?? null,
      protocol: info?.protocol ?? null,
      subscriptions: Array.from(
        session?.subscriptions.confirmed ?? [],
        ({ bytes }) => decodeText(bytes),
      ),
      flags: deliveryCheck?.flags ?? null,
      messages,
      malformed,
      bytes: this.#bytesBefore + (this.#session?.connection.bytesReceived ?? 0),
      buffered: session?.buffered ?? 0,
      silentFor: Math.round(this.silentFor),
      lastMessage,
    };
  }

  /** Has silence noticed as soon as on a busy connection, because an answer of the server is awaited. */
  expect(): void {
    this.#session?.expect();
  }

  /** Rejects or warns, by the policy, if the server can deliver nothing on one of the channels. */
  async checkDelivery(channels: readonly CheckedChannel[]): Promise<void> {
    const { flags, onWarning } = this.#options.settings;
    if (flags === "ignore") return;
    // Subscriptions that wait meanwhile share one check.
    const next = this.#nextCheck ??= this.#planCheck();
    next.groups.push(channels);
    const missing = (await next.found)(channels);
    if (missing === null) return;
    if (flags !== "warn") throw missing;
    onWarning(missing.message);
  }

  /** Plans a check after the one under way. */
  #planCheck(): NextCheck {
    const groups: (readonly CheckedChannel[])[] = [];
    let onAsked!: () => void;
    const asked = new Promise<void>((resolve) => onAsked = resolve);
    const found = this.#check.then(() => {
      this.#nextCheck = null;
      return this.#persist((session) =>
        session.withConnection((connection) => {
          const found = this.#memory.deliveryCheck!.check(connection, groups);
          onAsked();
          return found;
        })
      );
    }).finally(onAsked).catch((error) => {
      // Treated like a server that does not report its flags.
      if (isOtherServer(error)) return () => null;
      throw error;
    });
    this.#check = found.catch(() => {});
    return { groups, asked, found };
  }

  /**
   * Waits until the server has confirmed or refused desired channels.
   *
   * @param channels desired channels
   * @param check nothing that comes on them is delivered before it is done
   * @returns the refused channels with their errors; the others are subscribed
   * @throws {TimeoutError} if the server cannot be reached in time
   * @throws the reason for which the server was closed
   */
  async settle(channels: readonly Desired[], check?: Promise<unknown>): Promise<Refusal[]> {
    if (check !== undefined) {
      // The question goes first, so that its answer precedes the first message.
      await this.#nextCheck?.asked;
      this.#session?.holdUntil(check);
    }
    return await this.#persist(({ subscriptions }) => subscriptions.settle(channels));
  }

  /** Waits until the server has unsubscribed channels that are not desired, if it is connected. */
  async reconcile(): Promise<void> {
    try {
      await this.#session?.subscriptions.reconcile();
    } catch {
      // The connection is lost, and with it every subscription.
    }
  }

  /**
   * Does something on the connection, or in RESP2 on a side connection. Fails at once if there is none,
   * or if it breaks meanwhile.
   *
   * @throws {ConnectError} if the server is not connected
   * @throws what `work` throws
   */
  async withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#session !== null) return await this.#session.withConnection(work);
    throw new ConnectError("NOT_CONNECTED", `Cannot ask ${this.node}: it is not connected`, {
      server: this.node,
      cause: this.#error,
    });
  }

  /**
   * Ends the session, or the attempt to begin one, and reconnects: at once, or with backoff if this was
   * called a moment ago.
   *
   * @param reason why the connection is closed
   * @param gap the reason of the gap that begins
   * @param from the latest time at which the gap may begin, in ms since the epoch
   */
  reconnect(reason: Error, gap: GapReason, from: number = Infinity): void {
    this.#session?.giveUp(gap, from);
    const isUrgent = this.#retries.hasten();
    this.#attempt.abort(reason);
    // Afterwards, because the end of the session may have begun a pause.
    if (isUrgent) this.#changed.notify();
  }

  /** Stops watching the server, and rejects every wait with the reason. */
  close(reason: Error): void {
    if (this.state === "closed") return;
    this.#enter("closed", reason);
    this.#end.abort(reason);
    this.#attempt.abort(reason);
    this.#options.owner.onEnd?.(reason);
  }

  async #connect(): Promise<void> {
    this.#end.signal.throwIfAborted();
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const address = await this.#options.locator.locate(signal);
    this.node = formatAddress(address);
    const onDemand = await import("./on_demand.ts");
    this.#memory.onDemand = onDemand;
    const { settings } = this.#options;
    settings.reports.observer ??= onDemand.observe(settings);
    const { flags } = settings;
    if (flags !== "ignore") this.#memory.deliveryCheck ??= new onDemand.DeliveryCheck(flags);
    const session = await Session.open(this.#memory, address, signal);
    this.#arriving = session;
    try {
      await session.start();
    } finally {
      this.#arriving = null;
    }
  }

  #arrive(session: Session): void {
    this.#session = session;
    this.#retries.connected();
  }

  #lose(session: Session, reason: Error): void {
    this.#bytesBefore += session.connection.bytesReceived;
    this.#lastInfo = session.info;
    this.#session = null;
    this.#retries.lost();
    if (this.state === "closed") return;
    const loss = session.loss(reason);
    this.#options.owner.onLost(loss.reason, loss.from, !session.subscriptions.isEmpty);
    this.#reconnect(reason);
  }

  async #reconnect(reason: Error, state: NodeState = "reconnecting"): Promise<void> {
    const { maxAttempts } = this.#options.settings;
    let last = reason;
    while (this.failures < maxAttempts) {
      this.#enter(state, last);
      await this.#changed.wait(this.#retries.nextPause());
      this.#retries.begun();
      try {
        return await this.#connect();
      } catch (error) {
        if (this.#end.signal.aborted) return;
        last = error as Error;
        this.#retries.failed();
      }
    }
    this.close(
      maxAttempts === 0 ? reason : new ConnectError(
        "ATTEMPTS_EXHAUSTED",
        `Cannot reconnect to ${this.node}: ${maxAttempts} attempts failed, the last with: ` +
          last.message,
        { server: this.node, cause: last },
      ),
    );
  }

  #enter(state: NodeState, error: Error | null): void {
    if (this.state === "closed") return;
    if (this.state !== state) this.#since = Date.now();
    this.state = state;
    this.#error = error;
    this.#changed.notify();
    const { node, info } = this;
    this.#options.settings.reports.emit("node", { server: this, node, state, error, info });
    this.#options.owner.onState();
  }

  /** Does something in the session, and again in the next one if the session ends meanwhile. */
  async #persist<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#options.settings.timeout;
    for (;;) {
      const session = await this.#whenConnected(deadline);
      try {
        return await work(session);
      } catch (error) {
        if (session.closedReason === null) throw error;
      }
    }
  }

  /** Waits for a session that has requested every desired channel. */
  async #whenConnected(deadline: number): Promise<Session> {
    for (;;) {
      if (this.#session !== null) return this.#session;
      if (this.state === "closed") throw this.#error!;
      const left = deadline - performance.now();
      if (left <= 0) {
        const { timeout } = this.#options.settings;
        throw new TimeoutError(
          "CONNECT_TIMEOUT",
          `Cannot reach ${this.node} within ${timeout} ms` +
            (this.#error === null ? "" : `: ${this.#error.message}`),
          timeout,
          { server: this.node, cause: this.#error },
        );
      }
      await this.#changed.wait(left);
    }
  }
}
