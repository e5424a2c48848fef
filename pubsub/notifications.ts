import type { Channel } from "../parse/mod.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { formatAddress, type ServerUrl } from "./address.ts";
import { AbstractKeyspaceNotifications, type NodeRun, type Wanted } from "./base.ts";
import {
  ClosedError,
  ConnectError,
  type MissingFlagsError,
  type RefusedChannel,
} from "./errors.ts";
import { EventRun } from "./event_run.ts";
import { FlagGuard } from "./flag_guard.ts";
import type { ServerInfo } from "./handshake.ts";
import { type ConnectOptions, resolveOptions, type Settings } from "./options.ts";
import type { Status } from "./status.ts";
import { Subscriber } from "./subscriber.ts";

/**
 * Watches one server. {@linkcode connect} makes one.
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * for await (const { key, eventType } of notifications) console.log(eventType, key);
 * ```
 */
export class KeyspaceNotifications extends AbstractKeyspaceNotifications {
  readonly #subscriber: Subscriber;
  readonly #flagGuard: FlagGuard;
  readonly #run: NodeRun = new EventRun();
  readonly #stopFollowing: () => void;
  #messages = 0;
  #malformed = 0;
  #lastMessage: number | null = null;

  private constructor(url: ServerUrl, settings: Settings, options: ConnectOptions) {
    const name = formatAddress(url.address);
    super(name, settings);
    this.#flagGuard = new FlagGuard(settings.flags);
    this.#subscriber = new Subscriber({
      ...settings,
      locate: () => Promise.resolve(url.address),
      name,
      flagGuard: this.#flagGuard,
      wanted: this.registry,
      inspect: (info) => checkMode(name, info, options.singleNode ?? false),
      events: {
        onMessage: (...message) => this.#onMessage(...message),
        onRead: () => this.takePressure(),
        onConfirmed: () => this.#run.end(),
        onGap: (reason, from, to) =>
          this.reportGap({ kind: "gap", reason, node: this.#subscriber.node, from, to }),
        onMuted: (error) => this.#complain(error),
        onState: () => settings.onStatus(this.status()),
        onEnd: (reason) => this.#onEnd(reason),
      },
    });
    const { signal } = options;
    const close = () => void this.close();
    signal?.addEventListener("abort", close);
    this.#stopFollowing = () => signal?.removeEventListener("abort", close);
  }

  /**
   * Connects to one server.
   *
   * @param url where it is, and what its URL says
   * @param options how to connect
   * @returns the notifications of that server, nothing subscribed yet
   * @throws as {@linkcode connect} does
   */
  static async open(url: ServerUrl, options: ConnectOptions): Promise<KeyspaceNotifications> {
    const settings = resolveOptions(url, options);
    options.signal?.throwIfAborted();
    const notifications = new KeyspaceNotifications(url, settings, options);
    try {
      await notifications.#subscriber.start();
      return notifications;
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** How things stand. */
  status(): Status {
    const { node, state, since, error, info, confirmed, bytesReceived } = this.#subscriber;
    const subscriptions = Array.from(confirmed, ({ bytes }) => decoder.decode(bytes));
    const settled = subscriptions.length >= this.registry.size;
    return {
      state: state === "closed"
        ? state
        : state === "muted" || state === "reconnecting"
        ? "incomplete"
        : settled
        ? "ready"
        : "subscribing",
      nodes: [{
        node,
        state,
        since,
        error: error?.message ?? null,
        software: info?.software ?? null,
        version: info?.version ?? null,
        role: info?.role ?? null,
        protocol: info?.protocol ?? null,
        subscriptions,
        flags: this.#flagGuard.flags,
        messages: this.#messages,
        malformed: this.#malformed,
        bytes: bytesReceived,
        lastMessage: this.#lastMessage,
      }],
      gaps: this.gaps,
      queued: this.stream.length,
    };
  }

  /** Ends the connection, every loop and every wait. Safe to call twice. */
  close(): Promise<void> {
    this.#subscriber.close(
      new ClosedError(`The notifications of ${this.#subscriber.node} were closed`),
    );
    // What a reader has not taken by now it does not want: it closed.
    this.stream.clear();
    return Promise.resolve();
  }

  /** @internal */
  protected get closed(): boolean {
    return this.#subscriber.error instanceof ClosedError;
  }

  /** @internal */
  protected async checkFlags(channels: readonly Channel[]): Promise<void> {
    const missing = await this.#subscriber.ask((connection) =>
      this.#flagGuard.check(connection, channels)
    );
    if (missing === null) return;
    if (this.settings.flags !== "warn") throw missing;
    this.settings.onWarning(missing.message);
  }

  /** @internal */
  protected async settle(channels: readonly Wanted[]): Promise<RefusedChannel[]> {
    const refused = await this.#subscriber.settle(channels);
    return refused.map(({ channel, error }) => ({
      channel: decoder.decode(channel.bytes),
      server: this.#subscriber.node,
      error,
    }));
  }

  /** @internal */
  protected async reconcile(): Promise<void> {
    try {
      await this.#subscriber.reconcile();
    } catch {
      // Without the connection nothing is subscribed, and the next one asks only for what is wanted.
    }
  }

  #onMessage(frame: MessageFrame, receivedAt: number, sentAfter: number): void {
    this.#messages++;
    this.#lastMessage = receivedAt;
    if (!this.deliver(frame, receivedAt, sentAfter, this.#run)) this.#malformed++;
  }

  #complain(error: MissingFlagsError): void {
    if (this.settings.flags === "warn") this.settings.onWarning(error.message);
    else this.settings.onError(error);
  }

  #onEnd(reason: Error): void {
    this.#stopFollowing();
    this.stream.close(this.closed ? null : reason);
  }
}

/** A node of a cluster tells of its own keys only: not what somebody who gives a URL expects. */
function checkMode(node: string, info: ServerInfo, singleNode: boolean): void {
  if (info.mode === "sentinel") {
    throw new ConnectError(
      `Cannot watch ${node}: it is a Sentinel, which has no keys; ` +
        "give the address of the server it watches over",
    );
  }
  if (info.mode !== "cluster" || singleNode) return;
  throw new ConnectError(
    `Cannot watch ${node}: it is a node of a cluster and tells of its own keys only, and whole ` +
      "clusters are not supported yet; set singleNode: true to watch this node alone",
  );
}

const decoder = new TextDecoder();
