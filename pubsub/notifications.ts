import { DEFAULT_PORT, readTarget, type ServerTarget } from "./connection/address.ts";
import { formatAddress } from "./connection/transport.ts";
import { AbstractKeyspaceNotifications } from "./base.ts";
import { fromCaller } from "./connection/caller.ts";
import { ClosedError, ConnectError } from "./connection/errors.ts";
import type { ServerInfo } from "./connection/handshake.ts";
import type { CheckedChannel } from "./flags.ts";
import { OpenGap } from "./gap.ts";
import { PING } from "./heartbeat.ts";
import { type Desired, Dispatcher } from "./dispatcher.ts";
import type { Source } from "./locator.ts";
import { checkUnused } from "./connection/option_checks.ts";
import {
  checkNames,
  CLUSTER_ONLY,
  type ConnectOptions,
  ONLY_ANNOUNCED,
  resolveOptions,
  type Settings,
} from "./options.ts";
import type { RoleCheck, RoleCheckOptions } from "./role_check.ts";
import { isSentinelTarget, type SentinelTarget } from "./sentinel_target.ts";
import type { ServerOwner } from "./server_owner.ts";
import type { Standby } from "./standby/standby.ts";
import { standbyTools } from "./standby_tools.ts";
import type { NodeState, Status } from "./status.ts";
import { Server } from "./server.ts";

/**
 * Watches one server, or the primary that sentinels name. `connect` makes one.
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
  protected readonly dispatcher: Dispatcher;
  readonly #server: Server;
  readonly #standby: Standby | null;
  readonly #settings: Settings;
  /** The events of which it was warned that a replica does not send them. */
  readonly #missed = new Set<string>();
  /** Ends what is done beside the connection. */
  readonly #end = new AbortController();

  private constructor(
    { locator, settings, replicas }: Source,
    options: ConnectOptions,
    module: typeof import("./standby/standby.ts") | null,
  ) {
    super(settings.database);
    this.#settings = settings;
    this.dispatcher = new Dispatcher(() => this.#node, settings, {
      subscribe: (channels, checked, admit) => {
        const settle = async (all: readonly Desired[]) => {
          const checking = this.#check(checked).then(admit);
          // RESP2 takes no question on a connection that has subscribed. To add flags takes several
          // round trips, for which messages would be held.
          if (this.#server.info?.protocol !== 3 || settings.flags === "merge") await checking;
          const [refused] = await Promise.all([this.#server.settle(all, checking), checking]);
          return refused;
        };
        return this.#standby?.subscribe(channels, checked, settle) ?? settle(channels);
      },
      reconcile: () => (this.#standby ?? this.#server).reconcile(),
    });
    const { singleNode = false, signal } = options;
    const gap = new OpenGap((reason, from, to) =>
      this.dispatcher.reportGap({ kind: "gap", reason, node: this.#node, from, to })
    );
    const standby = this.#standby = module && new module.Standby({
      settings,
      dispatcher: this.dispatcher,
      tools: standbyTools(),
      replicas: replicas!,
      onLost: (reason, from) => {
        gap.begin(reason, from);
        if (this.#server.state === "ready") gap.end();
      },
      onStatus: () => settings.onStatus(this.status()),
    });
    let state: NodeState = "connecting";
    let roleCheck: RoleCheck | null = null;
    const roles: RoleCheckOptions = {
      onPrimary: ({ offset }, askedAt) => locator.noteOffset?.(offset, askedAt),
      onReplaced: (why, since) => this.#leave(`${this.#node} was left: ${why}`, since),
      onReplica: () => {
        settings.onWarning(
          `${this.#node} was a primary and is a replica now: its events come late, and expired keys as ` +
            "deleted; connect to the primary, or through sentinels",
        );
        this.#adviseOnReplica(this.dispatcher.registry.values()).catch(settings.onError);
      },
    };
    const owner: ServerOwner = {
      inspect: async (info, connection, askedAt) => {
        const movedAfter = await locator.inspect?.(info, connection) ?? Infinity;
        gap.move(movedAfter);
        standby?.move(movedAfter);
        checkMode(this.#node, info, singleNode);
        const { RoleCheck } = await import("./on_demand.ts");
        roleCheck ??= new RoleCheck(roles);
        await roleCheck.begin(info, connection, askedAt);
        if (info.role === "replica") await this.#adviseOnReplica(this.dispatcher.registry.values());
      },
      checkUp: (connection, session) => roleCheck!.check(connection, session),
      onOtherServer: (...other) => roleCheck!.noteOther(...other),
      probe: ({ protocol }) =>
        protocol === 3 && locator.noteOffset !== undefined ? roleCheck!.probe : PING,
      onLost: (reason, from, hasChannels) => {
        const isCovered = standby?.lose(reason, from);
        if (hasChannels && !isCovered) gap.begin(reason, from);
      },
      onState: () => {
        const before = state;
        state = this.#server.state;
        standby?.onState();
        settings.onStatus(this.status());
        if (state === "degraded" && before !== state) gap.tell();
        else if (state === "ready") gap.end();
      },
      onDropped: (dropped) => this.dispatcher.reportDropped(this.#node, dropped),
      onEnd: (reason) => {
        standby?.close(reason);
        gap.end();
        this.#end.abort(reason);
        this.dispatcher.end(reason);
      },
    };
    this.#server = new Server({
      locator,
      settings,
      dispatcher: this.dispatcher,
      gate: standby?.primary ?? null,
      owner,
    });
    if (standby !== null) standby.primary.server = this.#server;
    const close = () => void this.close();
    signal?.addEventListener("abort", close);
    this.#end.signal.addEventListener("abort", () => signal?.removeEventListener("abort", close));
  }

  /**
   * Connects to one server, and to nothing else: `connect` recognizes clusters too.
   *
   * @param target the server's URL, or its sentinels
   * @param options how to connect
   * @returns the notifications of that server, nothing subscribed yet
   * @throws {TypeError} when the URL or an option is malformed
   * @throws {RangeError} when one of the option `limits` is
   * @throws {ConnectError} when there is no server there, or none that understands; when it is a
   * node of a cluster, and `singleNode` is not set
   * @throws {AuthError} when it refuses the user or password, or wants some
   * @throws {TimeoutError} when it does not answer in time
   * @throws {SentinelError} when no sentinel can be asked, or none knows the name
   */
  static connect(
    target: ServerTarget | SentinelTarget = {},
    options: ConnectOptions = {},
  ): Promise<KeyspaceNotifications> {
    const { connect } = KeyspaceNotifications;
    return fromCaller(connect, () => KeyspaceNotifications.#connect(target, options));
  }

  static async #connect(
    target: ServerTarget | SentinelTarget,
    options: ConnectOptions,
  ): Promise<KeyspaceNotifications> {
    await checkNames(options);
    if (options.waitOnFirstConnect) {
      const { keepTrying } = await import("./on_demand.ts");
      return await keepTrying(options, (once) => KeyspaceNotifications.#connect(target, once));
    }
    const source = isSentinelTarget(target)
      ? await readSentinels(target, options)
      : readServer(target, options);
    options.signal?.throwIfAborted();
    const module = source.settings.standby ? await import("./standby/standby.ts") : null;
    const notifications = new KeyspaceNotifications(source, options, module);
    try {
      await notifications.#server.start();
      notifications.#standby?.start();
      // Aborted in the turn in which it was connected, as by `onStatus`.
      options.signal?.throwIfAborted();
      source.follow?.(notifications.#end.signal, (why) => notifications.#leave(why));
      return notifications;
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw error;
    }
  }

  /** How things stand. */
  status(): Status {
    const server = this.#server.status();
    const standby = this.#standby?.status();
    const node = standby === undefined ? server : { ...server, standby };
    const { state } = node;
    const { agrees } = this.#server;
    return {
      state: this.#standby?.isCovering
        ? "ready"
        : state === "ready"
        ? agrees ? state : "subscribing"
        : state === "closed"
        ? state
        : "incomplete",
      nodes: [node],
      ...this.dispatcher.counts,
    };
  }

  /** @internal */
  protected override end(): void {
    const reason = new ClosedError(`The notifications of ${this.#node} were closed`);
    this.#server.close(reason);
    // Also what was lost for good before: nobody wants to read on.
    this.dispatcher.end(reason);
  }

  get #node(): string {
    return this.#server.node;
  }

  async #check(channels: readonly CheckedChannel[]): Promise<void> {
    await this.#server.checkDelivery(channels);
    if (this.#server.info?.role === "replica") await this.#adviseOnReplica(channels);
  }

  /** Leaves the server because another one has replaced it, after `since` at the earliest. */
  #leave(why: string, since?: number): void {
    const error = new ConnectError("SERVER_REPLACED", why, { server: this.#node });
    this.#server.reconnect(error, "failover", since);
  }

  /** Warns of events on channels that do not come from a replica. */
  async #adviseOnReplica(channels: Iterable<CheckedChannel>): Promise<void> {
    const { adviseOnReplica } = await import("./on_demand.ts");
    adviseOnReplica(channels, this.#missed, this.#settings.onWarning);
  }
}

function readServer(target: ServerTarget, options: ConnectOptions): Source {
  checkUnused(options, ONLY_ANNOUNCED, "a single server", "it is for clusters or sentinels");
  const url = readTarget("the server URL", target, DEFAULT_PORT);
  const settings = resolveOptions(url, options);
  const { address } = url;
  const locate = () => Promise.resolve(address);
  return { locator: { name: formatAddress(address), locate }, settings };
}

async function readSentinels(target: SentinelTarget, options: ConnectOptions): Promise<Source> {
  checkUnused(options, CLUSTER_ONLY, "sentinels", "it is for clusters");
  checkUnused(options, ["singleNode"], "sentinels", "they name no node of a cluster");
  const { sourceOfSentinels } = await import("./sentinel/mod.ts");
  return sourceOfSentinels(target, options);
}

/** A node of a cluster notifies only of its own keys, which is not what the caller of `connect` expects. */
function checkMode(node: string, info: ServerInfo, singleNode: boolean): void {
  if (info.mode === "sentinel") {
    throw new ConnectError(
      "WRONG_MODE",
      `Cannot watch ${node}: it is a Sentinel, which has no keys; ` +
        "connect({ sentinels, name }) finds its server",
      { server: node },
    );
  }
  if (info.mode !== "cluster" || singleNode) return;
  throw new ConnectError(
    "CLUSTER_NODE",
    `Cannot watch ${node} as a single server: it is a node of a cluster and notifies only of its own ` +
      "keys; use connect to watch the whole cluster, or set singleNode: true",
    { server: node },
  );
}
