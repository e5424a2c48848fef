import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import type { Probe } from "../../pubsub/connection/heartbeat.ts";
import type { Locator } from "../../pubsub/locator.ts";
import type { TcpAddress } from "../../pubsub/mod.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { textOf } from "../discovery/reply_fields.ts";
import type { ClusterNode } from "../discovery/topology.ts";

/** Lists the connection on which a replica follows its primary, which is a client of its own. */
const LIST_PRIMARY = ["CLIENT", "LIST", "TYPE", "master"] as const;

/** A replica that can be connected to. */
export interface Candidate {
  readonly node: ClusterNode;
  readonly address: TcpAddress;
}

/** Which to try first. What others say of a replica's health is late: it is asked itself. */
const ORDER: readonly ClusterNode["health"][] = ["online", "unknown", "loading", "failed"];

/** Chooses a replica of a shard, and after a failure another one until all were tried. */
export class ReplicaLocator implements Locator {
  readonly name: string;
  /** The id of the replica that was chosen last. */
  chosen: string | null = null;
  readonly #candidates: () => readonly Candidate[];
  readonly #link: ReplicaLink;
  #tried = new Set<string>();

  /**
   * @param name the name of the shard until a replica is chosen
   * @param candidates its replicas
   * @param link checks the one that was chosen
   */
  constructor(name: string, candidates: () => readonly Candidate[], link: ReplicaLink) {
    this.name = name;
    this.#candidates = candidates;
    this.#link = link;
  }

  locate(): Promise<TcpAddress> {
    const candidates = this.#candidates();
    if (candidates.length === 0) {
      return Promise.reject(
        new ConnectError(
          "WRONG_ROLE",
          `Cannot watch a replica of ${this.name}: it has none; add one, or watch the primaries ` +
            "(without the option replicas)",
        ),
      );
    }
    if (candidates.every(({ node }) => this.#tried.has(node.id))) this.#tried.clear();
    const rank = ({ node }: Candidate) => ORDER.indexOf(node.health);
    const { node, address } = candidates
      .filter(({ node }) => !this.#tried.has(node.id))
      // Any of those alike, so that not all who watch burden the same one.
      .sort(() => Math.random() - 0.5)
      .reduce((best, one) => rank(one) < rank(best) ? one : best);
    this.chosen = node.id;
    this.#tried.add(node.id);
    return Promise.resolve(address);
  }

  async inspect({ role }: ServerInfo, connection: Connection): Promise<void> {
    const { server } = connection;
    const fail = (why: string) => {
      const message = `Cannot watch ${server} as a replica: ${why}`;
      throw new ConnectError("WRONG_ROLE", message, { server });
    };
    if (role === "primary") fail("it is a primary now");
    if (!await this.#link.begin(connection)) fail("it does not follow its primary");
    // When it is lost the others come first.
    this.#tried = new Set([this.chosen!]);
  }

  isPassing(): boolean {
    return true;
  }

  takeMove(): number {
    return Infinity;
  }
}

/** Breaks in what a replica emits. Times are in ms since the epoch. */
export interface ReplicaLinkEvents {
  /**
   * The data set was copied: the replica emitted nothing for what changed meanwhile.
   *
   * @param from the last time at which it followed without a break
   */
  onCopied(from: number): void;
  /** It has not followed since `from`, for longer than it may. */
  onBroken(from: number): void;
}

/**
 * Checks whether a replica emits everything its primary does.
 *
 * It follows its primary as one of its own clients, whose number stays for as long as it goes on
 * where it was, also after a break and with another primary. It is another one once the replica had
 * to copy the whole data set, for which it emits nothing. So measured on Redis 7.0, 8.0, 8.6 and
 * Valkey 9.1. Where an ACL forbids the command nothing is known.
 */
export class ReplicaLink {
  /** Checks with each heartbeat: in RESP3 a subscribed connection takes any command. */
  readonly probe: Probe = {
    command: LIST_PRIMARY[0],
    args: LIST_PRIMARY.slice(1),
    onReply: (reply, askedAt) => this.#note(readLink(reply), askedAt),
  };
  readonly #events: ReplicaLinkEvents;
  readonly #maxOutage: number;
  #id: string | null = null;
  #upAt = 0;

  /** @param maxOutage how long it may be without a primary, in ms */
  constructor(events: ReplicaLinkEvents, maxOutage: number) {
    this.#events = events;
    this.#maxOutage = maxOutage;
  }

  /** As {@linkcode check}, of a replica that was not watched before. */
  begin(connection: Connection): Promise<boolean> {
    this.#id = null;
    return this.check(connection);
  }

  /**
   * Checks on a connection that takes any command.
   *
   * @returns whether the replica follows its primary; true when it does not say
   * @throws the reason for which the connection is over
   */
  async check(connection: Connection): Promise<boolean> {
    const askedAt = Date.now();
    try {
      const id = readLink(await connection.request(...LIST_PRIMARY));
      this.#note(id, askedAt);
      return id !== null;
    } catch (error) {
      if (error instanceof ServerError) return true;
      throw error;
    }
  }

  /** @param id the number of the client that is its primary; null when there is none */
  #note(id: string | null, askedAt: number): void {
    if (id === null) {
      if (this.#id !== null && askedAt - this.#upAt > this.#maxOutage) {
        this.#events.onBroken(this.#upAt);
      }
      return;
    }
    const before = this.#id;
    const from = this.#upAt;
    this.#id = id;
    this.#upAt = askedAt;
    if (before !== null && before !== id) this.#events.onCopied(from);
  }
}

function readLink(reply: Reply): string | null {
  return /^id=(\d{1,20})/m.exec(textOf(reply) ?? "")?.[1] ?? null;
}
