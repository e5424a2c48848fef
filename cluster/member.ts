import type { Channel } from "../parse/mod.ts";
import type { GapReason } from "../pubsub/gap.ts";
import type { Connection } from "../pubsub/connection.ts";
import type { ServerInfo } from "../pubsub/handshake.ts";
import type { Probe } from "../pubsub/heartbeat.ts";
import type { DroppedMessages } from "../pubsub/held_messages.ts";
import type { Gate, Hub, Refusal, Wanted } from "../pubsub/hub.ts";
import { ConnectError } from "../pubsub/errors.ts";
import { type Locator, PlainLocator } from "../pubsub/locator.ts";
import type { NodeStatus, TcpAddress } from "../pubsub/mod.ts";
import type { Settings } from "../pubsub/options.ts";
import type { AskServer } from "../pubsub/subscriber_options.ts";
import { WatchedServer } from "../pubsub/watched_server.ts";
import type { SlotRange } from "./discovery/slot_range.ts";

/** What a member tells its owner. */
export interface MemberEvents {
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or nothing
   * comes by it on something wanted.
   */
  onLost(reason: GapReason, from: number): void;
  /** As {@linkcode SubscriberEvents.onDropped}. */
  onDropped(dropped: DroppedMessages): void;
  /** As {@linkcode SubscriberEvents.onSubscribed}. */
  onSubscribed(ask: AskServer): Promise<void>;
  /** The state has changed. */
  onState(): void;
}

/** What every member needs. */
export interface MemberOptions {
  /** What the options say. */
  readonly settings: Settings;
  /** Whom its messages are for. */
  readonly hub: Hub;
  /** What stands between. */
  readonly gate: Gate;
  /** Takes what happens. */
  readonly events: MemberEvents;
}

/** How a member knows its node. */
export interface MemberNode {
  /** Says where it is. */
  readonly locator: Locator;
  /**
   * Looks at it before anything is subscribed on it.
   *
   * @throws when it is not to be used
   */
  readonly inspect: (info: ServerInfo) => void;
  /** What to ask it for a sign of life; `PING` where nothing else is asked. */
  readonly probe?: (info: ServerInfo) => Probe;
  /** Asks it from time to time what the connection does not tell by itself. */
  readonly checkUp?: (connection: Connection) => Promise<void>;
}

/** A shard of the cluster that is watched, at one of its nodes. */
export abstract class Member {
  /** The id of the shard's primary. */
  id: string;
  /** The connection to the node, its flags and figures. */
  readonly server: WatchedServer;
  /** Over once its node may be listened to, or is never to be. */
  launched: Promise<void> = Promise.resolve();
  /** In how many answers in a row its primary was none. */
  absences = 0;
  /** The slots that its node served when it was last connected to; null where that was not asked. */
  served: readonly SlotRange[] | null = null;

  constructor(id: string, node: MemberNode, options: MemberOptions) {
    this.id = id;
    this.server = new WatchedServer({
      ...node,
      settings: { ...options.settings, maxAttempts: Infinity },
      hub: options.hub,
      gate: options.gate,
      events: { ...options.events, onGap() {}, onEnd() {} },
    });
  }

  /** The id of the node that is watched; null before there is one. */
  abstract readonly nodeId: string | null;

  /** Whether the connection to the node is lost, or could not be made. */
  get isLost(): boolean {
    const { connection, failures, state } = this.server.subscriber;
    return connection === null && (failures > 0 || state === "reconnecting");
  }

  /** Where the node is, as `host:port`. */
  get node(): string {
    return this.server.subscriber.node;
  }

  /** How it stands. */
  status(): NodeStatus {
    return this.server.status();
  }

  /** As {@linkcode WatchedServer.checkSilence}, once its node may be listened to. */
  async checkSilence(channels: readonly Channel[]): Promise<void> {
    await this.launched;
    await this.server.checkSilence(channels);
  }

  /** As {@linkcode WatchedServer.settle}, once its node may be listened to. */
  async settle(channels: readonly Wanted[]): Promise<Refusal[]> {
    await this.launched;
    return await this.server.settle(channels);
  }

  /** Ends the connection for good. */
  close(reason: Error): void {
    this.server.subscriber.close(reason);
  }
}

/** A shard that is watched at its primary. */
export class PrimaryMember extends Member {
  /**
   * @param name how it is called until it is connected to
   * @param locate where the primary is now; null when no node says
   */
  constructor(
    id: string,
    name: string,
    locate: () => TcpAddress | null,
    options: MemberOptions,
  ) {
    const locator = new PlainLocator(name, () => {
      const address = locate();
      return address === null
        ? Promise.reject(new ConnectError(`Cannot connect to node ${id}: no node says where it is`))
        : Promise.resolve(address);
    });
    const inspect = ({ role }: ServerInfo) => {
      if (role !== "replica" && role !== "slave") return;
      throw new ConnectError(`Cannot watch ${this.node} as a primary: it is a replica now`);
    };
    super(id, { locator, inspect }, options);
  }

  get nodeId(): string {
    return this.id;
  }
}
