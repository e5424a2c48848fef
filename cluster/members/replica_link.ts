import type { Connection } from "../../pubsub/connection.ts";
import type { Probe } from "../../pubsub/heartbeat.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { textOf } from "../discovery/reply_fields.ts";

/** Asks a replica for the connection on which it follows its primary, as a client of its own. */
const QUESTION = ["CLIENT", "LIST", "TYPE", "master"] as const;

/** What a replica's link to its primary tells its owner. */
export interface ReplicaLinkEvents {
  /**
   * The data set was copied anew: what changed meanwhile was told by nobody here.
   *
   * @param from when the replica was asked last that followed without a break, in ms since the epoch
   */
  onCopied(from: number): void;
  /** It has not followed since `from`, in ms since the epoch, for longer than it may. */
  onBroken(from: number): void;
}

/**
 * Sees whether a replica tells everything its primary does.
 *
 * It follows its primary as one of its own clients, whose number stays for as long as it goes on
 * where it was, also after a break and with another primary. It is another one once the replica had
 * to copy the whole data set, of which it tells nothing. So measured on Redis 7.0, 8.0, 8.6 and
 * Valkey 9.1. Where an ACL forbids the question nothing is known.
 */
export class ReplicaLink {
  /** Asks with each heartbeat: in RESP3 a subscribed connection takes any command. */
  readonly probe: Probe = {
    command: QUESTION[0],
    args: QUESTION.slice(1),
    onReply: (reply, askedAt) => this.note(readLink(reply), askedAt),
  };
  readonly #events: ReplicaLinkEvents;
  readonly #patience: number;
  #id: string | null = null;
  #upAt = 0;

  /** @param patience how long it may be without a primary, in ms */
  constructor(events: ReplicaLinkEvents, patience: number) {
    this.#events = events;
    this.#patience = patience;
  }

  /**
   * Looks at a replica before it is watched.
   *
   * @returns whether it follows its primary; true when it does not tell
   * @throws the reason for which the connection is over
   */
  async begin(connection: Connection): Promise<boolean> {
    this.#id = null;
    try {
      const askedAt = Date.now();
      const id = readLink(await connection.request(...QUESTION));
      if (id !== null) this.note(id, askedAt);
      return id !== null;
    } catch (error) {
      if (error instanceof ServerError) return true;
      throw error;
    }
  }

  /**
   * Takes an answer.
   *
   * @param id the number of the client that is its primary; null when there is none
   * @param askedAt when it was asked, in ms since the epoch
   */
  note(id: string | null, askedAt: number): void {
    if (id === null) {
      if (this.#id !== null && askedAt - this.#upAt > this.#patience) {
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

  /** Asks on a connection made for it, for RESP2. */
  async ask(connection: Connection): Promise<void> {
    const askedAt = Date.now();
    try {
      this.note(readLink(await connection.request(...QUESTION)), askedAt);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
    }
  }
}

function readLink(reply: Reply): string | null {
  return /^id=(\d{1,20})/m.exec(textOf(reply) ?? "")?.[1] ?? null;
}
