import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import { PING, type Probe } from "../../pubsub/heartbeat.ts";
import { parseRole } from "../../pubsub/connection/info.ts";
import type { GapReason } from "../../pubsub/gap.ts";
import type { DroppedMessages } from "../../pubsub/held_messages.ts";
import type { Desired, Refusal } from "../../pubsub/dispatcher.ts";
import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import { readReplication, type Replication, ReplicationLog } from "../../pubsub/replication.ts";
import { Server } from "../../pubsub/server.ts";
import type { ServerOwner } from "../../pubsub/session.ts";
import { type GateContext, type GatedNode, NodeGate } from "./gate.ts";

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
  /** A node that was connected to has said where it stands in the replication stream. */
  onHistory(member: Member): void;
  /** As {@linkcode ServerOwner.onDropped}. */
  onDropped(member: Member, dropped: DroppedMessages): void;
  /** The state has changed. */
  onState(member: Member): void;
}

/** A primary that is watched. */
export class Member implements GatedNode, ServerOwner {
  /** The node's id. */
  readonly id: string;
  /** The connection to the node, its flags and figures. */
  readonly server: Server;
  readonly gate: NodeGate;
  /** In how many answers in a row the node was no primary. */
  absences = 0;
  /** Since when everything wanted has come from the node, in ms since the epoch; null if it does not. */
  heardSince: number | null = null;
  /** Since when the node was not heard last though others were, in ms since the epoch; null if it never was. */
  unheardFrom: number | null = null;
  /** Slots that it did not own and served all the same before it was lost. */
  visited: Iterable<number> = [];
  /** Where the node stood in the replication stream when it was connected to; null if it did not say. */
  replication: Replication | null = null;
  /** How far the node's replication stream had come, and when. */
  log: ReplicationLog | null = null;
  readonly #context: MemberContext;
  #messagesBefore = 0;
  #isReading = false;

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

  /** Whether everything wanted comes from the node. */
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
    try {
      await this.gate.extend(channels);
    } catch {
      // The connection is over; the next one sets them.
    }
    return await this.server.settle(channels);
  }

  /** Reconnects at once to another address than it was last dialled at, unless it is connected. */
  redial(address: TcpAddress | null): void {
    const { node, server } = this;
    if (server.connection !== null || address === null) return;
    const name = formatAddress(address);
    if (name === node) return;
    const reason = new ConnectError(
      "SERVER_REPLACED",
      `Cannot connect to ${node} any more: it is ${name} now`,
      { server: node },
    );
    server.reconnect(reason, "disconnected");
  }

  /** Ends the connection for good. */
  close(reason: Error): void {
    this.gate.close();
    this.server.close(reason);
  }

  async wasPrimary(connection: Connection): Promise<boolean> {
    // A promotion gives a node's replication stream another name.
    const id = this.replication?.id;
    return id !== undefined && id === (await readReplication(connection))?.id;
  }

  expect(): void {
    this.server.expect();
  }

  /**
   * Notes how far the node's replication stream has come, if the heartbeat cannot: RESP2 allows no `ROLE`
   * on the connection of the notifications.
   */
  async readOffset(): Promise<void> {
    const { info, state, messages } = this.server;
    if (info?.protocol !== 2 || state !== "ready") return;
    if (messages === this.#messagesBefore || this.#isReading) return;
    this.#messagesBefore = messages;
    this.#isReading = true;
    const askedAt = Date.now();
    try {
      const reply = await this.server.withConnection((beside) => beside.request("ROLE"));
      const { offset } = parseRole(reply);
      if (offset !== null) this.log?.note(offset, askedAt);
    } catch {
      // The log stays coarse, and a gap after a failover the longer.
    } finally {
      this.#isReading = false;
    }
  }

  async readHistory(connection: Connection): Promise<void> {
    const askedAt = connection.lastAckAt;
    this.replication = await readReplication(connection);
    this.#context.onHistory(this);
    if (this.replication === null || this.log?.id === this.replication.id) return;
    this.log = new ReplicationLog(this.replication, askedAt);
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
