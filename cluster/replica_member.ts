import type { Connection } from "../pubsub/connection.ts";
import { ConnectError } from "../pubsub/errors.ts";
import type { GapReason } from "../pubsub/gap.ts";
import { PING } from "../pubsub/heartbeat.ts";
import { Member, type MemberOptions } from "./member.ts";
import { ReplicaLink } from "./replica_link.ts";
import { type Candidate, ReplicaLocator } from "./replica_locator.ts";

/** A shard that is watched at one of its replicas. */
export class ReplicaMember extends Member {
  readonly #locator: ReplicaLocator;
  readonly #candidates: (id: string) => readonly Candidate[];

  /**
   * @param name how the shard is called until one of its replicas is watched
   * @param candidates the replicas of a primary, by its id
   */
  constructor(
    id: string,
    name: string,
    candidates: (id: string) => readonly Candidate[],
    options: MemberOptions,
  ) {
    const { heartbeat } = options.settings;
    const link = new ReplicaLink({
      onCopied: (from) => this.#leave("it had to copy its primary anew", "disconnected", from),
      onBroken: (from) =>
        this.#leave("it does not follow its primary any more", "unresponsive", from),
    }, heartbeat.timeout);
    const locator = new ReplicaLocator(name, () => candidates(this.id), link);
    const probe = ({ protocol }: { protocol: 2 | 3 }) => protocol === 3 ? link.probe : PING;
    const checkUp = async (connection: Connection) => {
      // In RESP3 it goes with the heartbeat.
      if (this.server.subscriber.info?.protocol === 2) await link.ask(connection);
    };
    super(id, { locator, inspect() {}, probe, checkUp }, options);
    this.#locator = locator;
    this.#candidates = candidates;
  }

  get nodeId(): string | null {
    return this.#locator.chosen;
  }

  /** Leaves a replica that is none of this shard any more, as others say. */
  review(): void {
    const chosen = this.nodeId;
    if (chosen === null || this.#candidates(this.id).some(({ node }) => node.id === chosen)) return;
    this.#leave("it is no replica of its shard now", "topology");
  }

  #leave(why: string, gap: GapReason, from?: number): void {
    const { subscriber } = this.server;
    subscriber.reconnect(new ConnectError(`${this.node} was left: ${why}`), gap, from);
  }
}
