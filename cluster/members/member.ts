import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import { PING, type Probe } from "../../pubsub/heartbeat.ts";
import { parseRole, readReplication } from "../../pubsub/connection/info.ts";
import type { GapReason } from "../../pubsub/gap.ts";
import type { DroppedMessages } from "../../pubsub/held_messages.ts";
import type { Delivery, Desired, Refusal } from "../../pubsub/dispatcher.ts";
import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import { ReplicationLog } from "../../pubsub/replication.ts";
import { Server } from "../../pubsub/server.ts";
import type { ServerOwner } from "../../pubsub/server_owner.ts";
import { parseClusterInfo, parseNodeLines } from "./report.ts";
import type { SlotRange } from "../discovery/slot.ts";
import type { NodeReport, NodeStream } from "../migration/node_stream.ts";
import type { ShardStandby } from "./shard_standby.ts";
import type { Succession } from "./succession.ts";
import { NodeGate } from "./gate.ts";
import type { GateContext, GatedNode } from "./link.ts";

/**
 * How long topologies may lack nodes that one node knows before they are believed, in ms. All hear within
 * seconds of a node that joins, and never of a dead one that all but that node have forgotten.
 */
const UNNAMED_MS = 30_000;

/** What all members share, and where they report. */
export interface MemberContext extends GateContext {
  readonly settings: Settings;
  /**
   * Returns the address of a node; null if no node says where it is.
   *
   * @throws {TypeError} if the caller's map makes no address of it
   */
  addressOf(id: string): TcpAddress | null;
  /** The name of a node that is not connected to. */
  nameOf(id: string): string;
  /** Messages may be missing from `from` on, in ms since the epoch. */
  onLost(member: Member, reason: GapReason, from: number): void;
  /** What is known of each node. */
  readonly succession: Succession;
  /** A node has said where it hands slots over to, asked at `askedAt`, in ms since the epoch. */
  onLines(member: Member, slots: readonly SlotRange[], askedAt: number): void;
  /** A node does not say that. */
  onNoLines(): void;
  /** A node has said how many nodes it knows, asked at `askedAt`, in ms since the epoch. */
  onCounted(member: Member, known: number, askedAt: number): void;
  /** As {@linkcode ServerOwner.onDropped}. */
  onDropped(member: Member, dropped: DroppedMessages): void;
  /** The state has changed. */
  onState(member: Member): void;
  /** Has replicas stand by for a primary; null without that option. */
  standbyFor(member: Member): ShardStandby | null;
}

/** A primary that is watched. */
export class Member implements GatedNode, ServerOwner {
  /** The node's id. */
  readonly id: string;
  /** The connection to the node, its flags and figures. */
  readonly server: Server;
  readonly gate: NodeGate;
  /** The replica that stands by; null without that option. */
  readonly shard: ShardStandby | null;
  /** In how many answers in a row the node was not a primary. */
  absences = 0;
  /** Since when all desired events arrive from the node, in ms since the epoch; null if they do not. */
  heardSince: number | null = null;
  /** Since when the node was not heard last though others were, in ms since the epoch; null if it never was. */
  unheardFrom: number | null = null;
  /** Slots that it did not own and served all the same before it was lost. */
  visited: Iterable<number> = [];
  /** How far the node's replication stream had come, and when. */
  log: ReplicationLog | null = null;
  readonly #context: MemberContext;
  /** How many nodes it knew when it was last asked. */
  known = 0;
  /** When it was last asked and knew no node that the topology does not name, in ms since the epoch. */
  completeAt: number = -Infinity;
  /** The slots that it hands over key by key, and to whom, by id, as it has said last. */
  sends: ReadonlyMap<number, string> = new Map();
  /** When it was last asked where it sends clients, in ms since the epoch. */
  askedAt: number = -Infinity;
  /** Slots of which it may have sent clients to nodes that are not heard, and when it last did not. */
  unsettled: ReadonlyMap<number, number> = new Map();
  /** When events were last desired that can come from the node, by the clock of {@linkcode performance}. */
  neededAt: number = performance.now();
  /** When the other primaries last sent no clients to the node, by their ids, in ms since the epoch. */
  unknownAt: ReadonlyMap<string, number> = new Map();
  /** How many nodes it knew more than the topology named, since when, and how many of them do not matter. */
  #surplus = 0;
  #surplusSince = 0;
  #tolerated = 0;
  #isAsked = false;
  /** The number of messages when it was asked for its offset, and when its nodes were counted, and when that was. */
  #messagesRead = 0;
  #messagesCounted = 0;
  #countedAt = -Infinity;

  constructor(id: string, context: MemberContext) {
    const { settings, dispatcher } = context;
    this.id = id;
    this.#context = context;
    this.gate = new NodeGate(this, context);
    this.server = new Server({
      locator: { name: context.nameOf(id), locate: () => this.#locate() },
      settings: { ...settings, maxAttempts: Infinity },
      dispatcher,
      gate: this.gate,
      owner: this,
    });
    this.shard = context.standbyFor(this);
  }

  /** The stream of its connection; null while there is none. */
  get stream(): NodeStream<Delivery> | null {
    return this.gate.stream;
  }

  onReceived(): void {
    if (this.shard !== null) this.shard.standby.primary.received++;
  }

  onConnected(): void {
    this.shard?.standby.primary.connected();
  }

  inspect({ role }: ServerInfo): void {
    if (role !== "replica") return;
    throw new ConnectError(
      "WRONG_ROLE",
      `Cannot watch ${this.node} as a primary: it is a replica now`,
      { server: this.node },
    );
  }

  probe({ protocol }: ServerInfo): Probe {
    if (protocol === 2) return PING;
    return {
      command: "ROLE",
      onReply: (reply, askedAt) => {
        const { role, offset } = parseRole(reply);
        if (offset !== null) this.log?.note(offset, askedAt);
        if (role === "replica") this.gate.report();
      },
    };
  }

  onLost(reason: GapReason, from: number): void {
    this.#context.onLost(this, reason, from);
  }

  onDropped(dropped: DroppedMessages): void {
    this.#context.onDropped(this, dropped);
  }

  onState(): void {
    this.#context.onState(this);
  }

  /** Whether all desired events arrive from the node. */
  get isHeard(): boolean {
    return this.heardSince !== null;
  }

  /** Whether the connection to the node is lost, or could not be made. */
  get isLost(): boolean {
    const { connection, failures, state } = this.server;
    return connection === null && (failures > 0 || state === "reconnecting");
  }

  get node(): string {
    return this.server.node;
  }

  /** As {@linkcode Server.settle}, once the fences of the channels' slots are set. */
  async settle(channels: readonly Desired[]): Promise<Refusal[]> {
    await this.#extend(channels);
    const settle = (all: readonly Desired[]) => this.server.settle(all);
    const refused = await (this.shard?.settle(channels, settle) ?? settle(channels));
    // The node may have been connected to meanwhile, and own more slots than the topology said then.
    await this.#extend(channels);
    return refused;
  }

  async #extend(channels: readonly Desired[]): Promise<void> {
    try {
      await this.gate.extend(channels);
    } catch {
      // The connection is over; the next one sets them.
    }
  }

  /** Reconnects at once if its address is not the last one that was tried, unless it is connected. */
  redial(address: TcpAddress | null): void {
    const { node, server } = this;
    if (server.connection !== null || address === null) return;
    const name = formatAddress(address);
    if (name === node) return;
    this.#retry(`Cannot connect to ${node} any more: it is ${name} now`);
  }

  /** Reconnects at once, unless its first attempt is under way or it is connected: it is a primary now. */
  retry(): void {
    if (this.server.connection !== null || this.server.failures === 0) return;
    this.#retry(`${this.node} has become a primary`);
  }

  #retry(why: string): void {
    const reason = new ConnectError("SERVER_REPLACED", why, { server: this.node });
    this.server.reconnect(reason, "disconnected");
  }

  /** Ends the connection for good. */
  close(reason: Error): void {
    this.gate.close();
    this.shard?.standby.close(reason);
    this.server.close(reason);
  }

  async wasPrimary(connection: Connection): Promise<boolean> {
    // A promotion gives a node's replication stream another name.
    const id = this.#context.succession.of(this.id).replication?.id;
    return id !== undefined && id === (await readReplication(connection))?.id;
  }

  expect(): void {
    this.server.expect();
  }

  reported({ slots, sends }: Pick<NodeReport, "slots" | "sends">, askedAt: number): void {
    if (slots === null || sends === null) return this.#context.onNoLines();
    const { stream } = this.gate;
    if (stream !== null) stream.sends = sends;
    this.sends = sends;
    this.#context.onLines(this, slots, askedAt);
  }

  /**
   * When the node was last asked and sent no clients to nodes that are not heard, in ms since the epoch.
   *
   * @param slot clients of this slot alone
   */
  settledAt(slot?: number): number {
    if (slot !== undefined) return this.unsettled.get(slot) ?? this.askedAt;
    return Math.min(this.askedAt, ...this.unsettled.values());
  }

  /**
   * Since when the node was not heard last though it may have had events of a slot, in ms since the epoch;
   * null if it never was.
   *
   * @param owner the id of the slot's earlier owner: until that one knew the node it sent no client there
   */
  unheardSince(owner: string): number | null {
    if (this.unheardFrom === null) return null;
    return Math.max(this.unheardFrom, this.unknownAt.get(owner) ?? -Infinity);
  }

  /**
   * Whether the node knows nodes that the topology may not name yet.
   *
   * @param named how many it names
   * @param requestedAt when it was requested, in ms since the epoch
   */
  knowsMore(named: number, requestedAt: number): boolean {
    const surplus = Math.max(0, this.known - named);
    if (surplus !== this.#surplus) [this.#surplus, this.#surplusSince] = [surplus, Date.now()];
    const isOld = requestedAt - this.#surplusSince >= UNNAMED_MS;
    this.#tolerated = isOld ? surplus : Math.min(surplus, this.#tolerated);
    return surplus > this.#tolerated;
  }

  /**
   * Asks the node what the heartbeat cannot. If events have come since: how many nodes it knows, and how
   * far its replication stream has come, because RESP2 allows no `ROLE` beside subscriptions. Always, if
   * not every primary is connected to: where it hands slots over to.
   *
   * @param now by the clock of {@linkcode performance}, in ms
   * @param pause how long it has to be before it is asked again how many nodes it knows, in ms
   * @param named how many the topology names
   */
  inquire(now: number, pause: number, named: number): void {
    const { info, state, messages } = this.server;
    const isNew = messages !== this.#messagesCounted || this.known > named + this.#tolerated ||
      this.#context.slots.isNarrow;
    const counts = isNew && now - this.#countedAt >= pause;
    const reads = messages !== this.#messagesRead && info?.protocol === 2;
    if (!reads && !counts || state !== "ready" || this.#isAsked) return;
    if (reads) this.#messagesRead = messages;
    if (counts) [this.#messagesCounted, this.#countedAt] = [messages, now];
    // What is asked in RESP2 goes by another connection, and proves nothing about this one.
    if (counts && info?.protocol === 2 && this.#context.slots.isNarrow) this.gate.ping();
    this.#ask(reads, counts);
  }

  async #ask(reads: boolean, counts: boolean): Promise<void> {
    this.#isAsked = true;
    const askedAt = Date.now();
    try {
      await this.server.withConnection(async (connection) => {
        const { slots: { isNarrow } } = this.#context;
        const [info, nodes, role] = await Promise.all([
          counts ? connection.request("CLUSTER", "INFO").catch(() => null) : null,
          counts && isNarrow ? connection.request("CLUSTER", "NODES").catch(() => null) : null,
          reads ? connection.request("ROLE").catch(() => null) : null,
        ]);
        const { offset } = parseRole(role);
        if (offset !== null) this.log?.note(offset, askedAt);
        const lines = parseNodeLines(nodes);
        if (lines !== null) this.reported(lines, askedAt);
        const { known, epoch } = parseClusterInfo(info);
        this.#context.filter.noteEpoch(epoch);
        if (known !== null) this.#context.onCounted(this, known, askedAt);
      });
    } catch {
      // What is known stays older, and a gap begins the earlier.
    } finally {
      this.#isAsked = false;
    }
  }

  async readHistory(connection: Connection): Promise<void> {
    const askedAt = connection.lastAckAt;
    const replication = await readReplication(connection);
    this.#context.succession.of(this.id).replication = replication;
    if (replication === null || this.log?.id === replication.id) return;
    this.log = new ReplicationLog(replication, askedAt);
  }

  #locate(): Promise<TcpAddress> {
    const address = this.#context.addressOf(this.id);
    if (address !== null) return Promise.resolve(address);
    return Promise.reject(
      new ConnectError(
        "CONNECT_FAILED",
        `Cannot connect to node ${this.id}: no node says where it is`,
      ),
    );
  }
}
