import { formatAddress, parseUrl, type ServerUrl } from "./address.ts";
import { AbstractKeyspaceNotifications } from "./base.ts";
import { ClusterNodeError } from "./cluster_node_error.ts";
import { ClosedError, ConnectError } from "./errors.ts";
import type { ServerInfo } from "./handshake.ts";
import { Hub } from "./hub.ts";
import { type ConnectOptions, resolveOptions, type Settings } from "./options.ts";
import type { Status } from "./status.ts";
import { WatchedServer } from "./watched_server.ts";

/**
 * Watches one server. `connect` makes one.
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
  /** @internal */
  protected readonly hub: Hub;
  readonly #server: WatchedServer;
  readonly #stopFollowing: () => void;

  private constructor(url: ServerUrl, settings: Settings, options: ConnectOptions) {
    super(settings.database);
    const name = formatAddress(url.address);
    this.hub = new Hub(name, settings, {
      checkFlags: (channels) => this.#server.checkFlags(channels),
      settle: (channels) => this.#server.settle(channels),
      reconcile: () => this.#server.reconcile(),
    });
    this.#server = new WatchedServer({
      locate: () => Promise.resolve(url.address),
      name,
      settings,
      hub: this.hub,
      gate: null,
      inspect: (info) => checkMode(name, info, options.singleNode ?? false),
      events: {
        onLost() {},
        onGap: (reason, from, to) =>
          this.hub.reportGap({ kind: "gap", reason, node: this.#node, from, to }),
        onState: () => settings.onStatus(this.status()),
        onEnd: (reason) => {
          this.#stopFollowing();
          this.hub.end(reason);
        },
      },
    });
    const { signal } = options;
    const close = () => void this.close();
    signal?.addEventListener("abort", close);
    this.#stopFollowing = () => signal?.removeEventListener("abort", close);
  }

  /**
   * Connects to one server, and to nothing else: `connect` recognizes clusters too.
   *
   * @param target the server's URL
   * @param options how to connect
   * @returns the notifications of that server, nothing subscribed yet
   * @throws {TypeError} when the URL or an option is malformed
   * @throws {ConnectError} when there is no server there, or none that understands; when it is a
   * node of a cluster, and `singleNode` is not set
   * @throws {AuthError} when it refuses the user or password, or wants some
   * @throws {TimeoutError} when it does not answer in time
   */
  static async connect(
    target: string | URL,
    options: ConnectOptions = {},
  ): Promise<KeyspaceNotifications> {
    const url = parseUrl(target);
    const settings = resolveOptions(url, options);
    options.signal?.throwIfAborted();
    const notifications = new KeyspaceNotifications(url, settings, options);
    try {
      await notifications.#server.subscriber.start();
      return notifications;
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** How things stand. */
  status(): Status {
    const node = this.#server.status();
    const { state } = node;
    const { agrees } = this.#server.subscriber;
    return {
      state: state === "ready" && !agrees
        ? "subscribing"
        : state === "muted" || state === "reconnecting" || state === "connecting"
        ? "incomplete"
        : state,
      nodes: [node],
      gaps: this.hub.gaps,
      queued: this.hub.queued,
      dropped: this.hub.dropped,
    };
  }

  /** Ends the connection, every loop, every wait and every handler. Safe to call twice. */
  close(): Promise<void> {
    const reason = new ClosedError(`The notifications of ${this.#node} were closed`);
    this.#server.subscriber.close(reason);
    // Also what was lost for good before: nobody wants to read on.
    this.hub.end(reason);
    return Promise.resolve();
  }

  get #node(): string {
    return this.#server.subscriber.node;
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
  throw new ClusterNodeError(
    `Cannot watch ${node} as a single server: it is a node of a cluster and tells of its own keys ` +
      "only; use connect to watch the whole cluster, or set singleNode: true",
  );
}
