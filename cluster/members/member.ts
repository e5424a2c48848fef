import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { GapReason } from "../../pubsub/gap.ts";
import type { Probe } from "../../pubsub/connection/heartbeat.ts";
import type { DroppedMessages } from "../../pubsub/held_messages.ts";
import type { Hub, Refusal, Wanted } from "../../pubsub/hub.ts";
import { PlainLocator } from "../../pubsub/locator.ts";
import { formatAddress, type TcpAddress } from "../../pubsub/mod.ts";
import type { Settings } from "../../pubsub/options.ts";
import { readReplication, type Replication, ReplicationLog } from "../../pubsub/replication.ts";
import { parseRole } from "../../pubsub/connection/role.ts";
import { WatchedServer } from "../../pubsub/watched_server.ts";
import { NodeGate, type NodeGateOptions } from "./gate.ts";

/** What members report. */
export interface MemberEvents {
  /** Messages may be missing from `from` on, in ms since the epoch. */
  onLost(member: Member, reason: GapReason, from: number): void;
  /** As {@linkcode SubscriberEvents.onDropped}. */
  onDropped(member: Member, dropped: DroppedMessages): void;
  /** The state has changed. */
  onState(member: Member): void;
  /** The node is a replica now. */
  onDemoted(member: Member): void;
  /** As {@linkcode NodeGateOptions.onFences}. */
  onFences(member: Member, owned: readonly number[], denied: readonly number[]): void;
  /** As {@linkcode NodeGateOptions.onReleased}. */
  onReleased(member: Member, slot: number, provenAt: number): void;
}

/** What a member needs. */
export interface MemberOptions
  extends Pick<NodeGateOptions, "filter" | "hasFences" | "slots" | "spacing" | "onHeld"> {
  readonly settings: Settings;
  readonly hub: Hub;
  /** The name of the node until it is connected to. */
  readonly name: string;
  /** Returns the address of the node; null if no node says. */
  readonly locate: () => TcpAddress | null;
  readonly events: MemberEvents;
}

/** A primary that is watched. */
export class Member {
  /** The node's id. */
  readonly id: string;
  /** The connection to the node, its flags and figures. */
  readonly server: WatchedServer;
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
  /** Whether the user may run `ROLE`. */
  #mayReadRole = false;
  #messagesBefore = 0;
  #isReading = false;

  constructor(id: string, options: MemberOptions) {
    const { settings, hub, name, locate, events } = options;
    this.id = id;
    const gate = new NodeGate({
      ...options,
      id,
      keyPrefix: settings.keyPrefix,
      node: () => this.node,
      wasPrimary: async (connection) => {
        // A promotion gives a node's replication stream another name.
        const id = this.replication?.id;
        return id !== undefined && id === (await readReplication(connection))?.id;
      },
      onAsked: () => this.server.subscriber.expect(),
      wasUnheard: () => this.unheardFrom !== null,
      hand: (delivery) => hub.hand(delivery),
      onFences: (owned, denied) => events.onFences(this, owned, denied),
      onDemoted: () => events.onDemoted(this),
      onReleased: (slot, provenAt) => events.onReleased(this, slot, provenAt),
    });
    this.gate = gate;
    this.server = new WatchedServer({
      settings: { ...settings, maxAttempts: Infinity },
      hub,
      gate,
      locator: new PlainLocator(name, () => {
        const address = locate();
        return address === null
          ? Promise.reject(
            new ConnectError(
              "CONNECT_FAILED",
              `Cannot connect to node ${id}: no node says where it is`,
            ),
          )
          : Promise.resolve(address);
      }),
      inspect: async ({ role }, connection, askedAt) => {
        if (role === "replica") {
          throw new ConnectError(
            "WRONG_ROLE",
            `Cannot watch ${this.node} as a primary: it is a replica now`,
            { server: this.node },
          );
        }
        [this.replication, this.#mayReadRole] = await Promise.all([
          readReplication(connection),
          connection.request("ROLE").then(() => true, () => false),
        ]);
        if (this.replication === null || this.log?.id === this.replication.id) return;
        this.log = new ReplicationLog(this.replication, askedAt);
      },
      probe: ({ protocol }): Probe => ({
        command: protocol === 3 && this.#mayReadRole ? "ROLE" : "PING",
        onReply: (reply, askedAt) => {
          const { role, offset } = parseRole(reply);
          if (offset !== null) this.log?.note(offset, askedAt);
          if (role === "replica") events.onDemoted(this);
        },
      }),
      events: {
        onLost: (reason, from) => events.onLost(this, reason, from),
        onDropped: (dropped) => events.onDropped(this, dropped),
        onState: () => events.onState(this),
        onConnected: (...made) => gate.connected(...made),
        onReleased: (...released) => gate.released(...released),
        onGap() {},
        onEnd() {},
      },
    });
  }

  /** Whether everything wanted comes from the node. */
  get isHeard(): boolean {
    return this.heardSince !== null;
  }

  /** Whether the connection to the node is lost, or could not be made. */
  get isLost(): boolean {
    const { connection, failures, state } = this.server.subscriber;
    return connection === null && (failures > 0 || state === "reconnecting");
  }

  /** Where the node is, as `host:port`. */
  get node(): string {
    return this.server.subscriber.node;
  }

  /** As {@linkcode WatchedServer.settle}, once the fences of the channels' slots are set. */
  async settle(channels: readonly Wanted[]): Promise<Refusal[]> {
    try {
      await this.gate.extend(channels);
    } catch {
      // The connection is over; the next one sets them.
    }
    return await this.server.settle(channels);
  }

  /** Reconnects at once to another address than it was last dialled at, unless it is connected. */
  redial(address: TcpAddress | null): void {
    const { node, server: { subscriber } } = this;
    if (subscriber.connection !== null || address === null) return;
    const name = formatAddress(address);
    if (name === node) return;
    const reason = new ConnectError(
      "SERVER_REPLACED",
      `Cannot connect to ${node} any more: it is ${name} now`,
      { server: node },
    );
    subscriber.reconnect(reason, "disconnected");
  }

  /** Ends the connection for good. */
  close(reason: Error): void {
    this.gate.close();
    this.server.subscriber.close(reason);
  }

  /**
   * Notes how far the node's replication stream has come, if the heartbeat cannot: RESP2 allows no `ROLE`
   * on the connection of the notifications.
   */
  async readOffset(): Promise<void> {
    const { info, state } = this.server.subscriber;
    const { messages } = this.server;
    if (info?.protocol !== 2 || state !== "ready") return;
    if (messages === this.#messagesBefore || this.#isReading) return;
    this.#messagesBefore = messages;
    this.#isReading = true;
    const askedAt = Date.now();
    try {
      const reply = await this.server.subscriber.askAtOnce((beside) => beside.request("ROLE"));
      const { offset } = parseRole(reply);
      if (offset !== null) this.log?.note(offset, askedAt);
    } catch {
      // The log stays coarse, and a gap after a failover the longer.
    } finally {
      this.#isReading = false;
    }
  }
}
