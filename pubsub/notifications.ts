import { type Channel, mergeFlags, missingFlags } from "../parse/mod.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { formatAddress, type ServerUrl } from "./address.ts";
import { AbstractKeyspaceNotifications, type NodeRun, type Wanted } from "./base.ts";
import { ClosedError, ConnectError, MissingFlagsError, type RefusedChannel } from "./errors.ts";
import { EventRun } from "./event_run.ts";
import { type ConnectOptions, resolveOptions, type Settings } from "./options.ts";
import type { NodeStatus, Status } from "./status.ts";
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
  readonly #run: NodeRun = new EventRun();
  readonly #end = new AbortController();
  readonly #stopFollowing: () => void;
  #over: Error | null = null;
  #since = Date.now();
  #flags = "unknown";
  #messages = 0;
  #malformed = 0;
  #lastMessage: number | null = null;

  private constructor(url: ServerUrl, settings: Settings, options: ConnectOptions) {
    super(formatAddress(url.address), settings);
    this.#subscriber = new Subscriber({
      ...settings,
      address: url.address,
      signal: this.#end.signal,
      wanted: this.registry,
      events: {
        onMessage: (frame, receivedAt) => this.#onMessage(frame, receivedAt),
        onConfirmed: () => this.#run.end(),
        onClose: (reason) => this.#finish(reason),
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
      notifications.#since = Date.now();
      notifications.#checkMode(options.singleNode ?? false);
      return notifications;
    } catch (error) {
      await notifications.close();
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** How things stand. */
  status(): Status {
    const { node, info, confirmed, bytesReceived } = this.#subscriber;
    const subscriptions = [...confirmed].map(({ bytes }) => decoder.decode(bytes));
    const state = this.#over === null ? "ready" : "closed";
    const status: NodeStatus = {
      node,
      state,
      since: this.#since,
      software: info?.software ?? null,
      version: info?.version ?? null,
      role: info?.role ?? null,
      protocol: info?.protocol ?? 3,
      subscriptions,
      flags: this.#flags,
      messages: this.#messages,
      malformed: this.#malformed,
      bytes: bytesReceived,
      lastMessage: this.#lastMessage,
    };
    return {
      state: state === "ready" && subscriptions.length < this.registry.size ? "subscribing" : state,
      nodes: [status],
      gaps: this.gaps,
      queued: this.stream.length,
    };
  }

  /** Ends the connection, every loop and every wait. Safe to call twice. */
  close(): Promise<void> {
    this.#finish(new ClosedError(`The notifications of ${this.#subscriber.node} were closed`));
    // What a reader has not taken by now it does not want: it closed.
    this.stream.clear();
    return Promise.resolve();
  }

  /** @internal */
  protected get closed(): boolean {
    return this.#over instanceof ClosedError;
  }

  /** @internal */
  protected async checkFlags(channels: readonly Channel[]): Promise<void> {
    const policy = this.settings.flags;
    if (policy === "ignore") return;
    const { node } = this.#subscriber;
    const flags = await this.#subscriber.readFlags();
    this.#flags = flags ?? "unknown";
    if (flags === null) return;
    const silent = channels.filter((channel) => !missingFlags(flags, channel).canReceive);
    if (silent.length === 0) return;
    const { missing } = missingFlags(flags, ...silent);
    const names = silent.map((channel) => `"${channel}"`).join(", ");
    const message = `Cannot receive anything on ${names} from ${node}: its ` +
      `notify-keyspace-events is "${flags}" and lacks "${missing}"; run there: ` +
      `CONFIG SET notify-keyspace-events ${mergeFlags(flags, missing).flags}` +
      (/[STIV]/.test(missing) ? " (S, T, I and V need Redis 8.8 or later)" : "");
    if (policy === "warn") this.settings.onWarning(message);
    else throw new MissingFlagsError(message, { server: node, configured: flags, missing });
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
    if (this.#over === null) await this.#subscriber.reconcile();
  }

  #onMessage(frame: MessageFrame, receivedAt: number): void {
    this.#messages++;
    this.#lastMessage = receivedAt;
    if (!this.deliver(frame, receivedAt, this.#run)) this.#malformed++;
  }

  /** A node of a cluster tells of its own keys only: not what somebody who asks for a URL expects. */
  #checkMode(singleNode: boolean): void {
    const { node, info } = this.#subscriber;
    if (info?.mode === "sentinel") {
      throw new ConnectError(
        `Cannot watch ${node}: it is a Sentinel, which has no keys; ` +
          "give the address of the server it watches over",
      );
    }
    if (info?.mode !== "cluster" || singleNode) return;
    throw new ConnectError(
      `Cannot watch ${node}: it is a node of a cluster and tells of its own keys only, and whole ` +
        "clusters are not supported yet; set singleNode: true to watch this node alone",
    );
  }

  #finish(reason: Error): void {
    if (this.#over !== null) return;
    this.#over = reason;
    this.#since = Date.now();
    this.#stopFollowing();
    this.#end.abort(reason);
    this.stream.close(this.closed ? null : reason);
  }
}

const decoder = new TextDecoder();
