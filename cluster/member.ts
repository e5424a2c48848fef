import { formatAddress, type NodeStatus } from "../pubsub/mod.ts";
import { ConnectError } from "../pubsub/errors.ts";
import type { GapReason } from "../pubsub/gap.ts";
import type { Gate, Hub } from "../pubsub/hub.ts";
import { PlainLocator } from "../pubsub/locator.ts";
import type { Settings } from "../pubsub/options.ts";
import type { TcpAddress } from "../pubsub/mod.ts";
import { WatchedServer } from "../pubsub/watched_server.ts";

/** What a member tells its owner. */
export interface MemberEvents {
  /** The connection is lost; messages may be missing from `from` on, in ms since the epoch. */
  onLost(reason: GapReason, from: number): void;
  /** The state has changed. */
  onState(): void;
}

/** A primary of the cluster that is watched. */
export class Member {
  /** The node's id. */
  readonly id: string;
  /** The connection to it, its flags and figures. */
  readonly server: WatchedServer;
  /** In how many answers in a row it was no primary. */
  absences = 0;

  constructor(
    id: string,
    options: {
      readonly locate: () => TcpAddress | null;
      readonly settings: Settings;
      readonly hub: Hub;
      readonly gate: Gate;
      readonly events: MemberEvents;
    },
  ) {
    this.id = id;
    const { locate, settings, hub, gate, events } = options;
    const address = locate();
    const name = address === null ? id : formatAddress(address);
    this.server = new WatchedServer({
      locator: new PlainLocator(name, () => {
        const address = locate();
        return address === null
          ? Promise.reject(
            new ConnectError(`Cannot connect to node ${id}: no node says where it is`),
          )
          : Promise.resolve(address);
      }),
      settings: { ...settings, maxAttempts: Infinity },
      hub,
      gate,
      inspect: ({ role }) => {
        if (role !== "replica" && role !== "slave") return;
        throw new ConnectError(`Cannot watch ${this.node} as a primary: it is a replica now`);
      },
      events: { ...events, onGap() {}, onEnd() {} },
    });
  }

  /** Where it is, as `host:port`. */
  get node(): string {
    return this.server.subscriber.node;
  }

  /** How it stands. */
  status(): NodeStatus {
    return this.server.status();
  }
}
