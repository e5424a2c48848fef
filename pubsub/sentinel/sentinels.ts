import type { Connection } from "../connection/connection.ts";
import { AuthError, ConnectError, UnsupportedError } from "../connection/errors.ts";
import { SentinelError, type SentinelFailure } from "../errors.ts";
import type { ServerInfo } from "../connection/handshake.ts";
import { raceStaggered } from "../connect_turns.ts";
import type { Locator } from "../locator.ts";
import { quoteEach } from "../connection/printable.ts";
import { areOther, readReplication } from "../connection/info.ts";
import { ReplicationLog } from "../replication.ts";
import { SentinelOrder } from "./order.ts";
import {
  openSentinel,
  readReplicas,
  readView,
  sameAddress,
  type SentinelView,
  type SessionOptions,
} from "./session.ts";
import type { SentinelServer } from "./target.ts";
import type { Address } from "../connection/transport.ts";

/** How long a sentinel may keep silent before the next one is asked as well, in ms. */
const STAGGER_MS = 500;

/**
 * How much later than the promotion itself a sentinel may learn of it, in ms: the one that leads the
 * failover looks once a second, and informs the others within two.
 */
const LEARNING_MS = 3_000;

/** The sentinel that is followed. The primary that it named stays the primary until it names another. */
export interface ActiveSentinel {
  /** The primary it knows; null before it has said. */
  readonly address: Address | null;
  /** Up to when it is known to have said nothing else, in ms since the epoch. */
  readonly lastAckAt: number;
}

/** The sentinels of one primary, and what they say of where it is. */
export class Sentinels implements Locator {
  readonly name: string;
  /** The sentinels, in the order in which they are asked. */
  readonly order: SentinelOrder;
  readonly #options: SessionOptions;
  #primary: SentinelView | null = null;
  /** When a sentinel last was asked that named the primary, in ms since the epoch. */
  #namedAt = 0;
  /** Before which time no move had happened, as sentinels know it, since the last inspection. */
  #movedAfter = Infinity;
  /** The replication stream of the primary that was inspected last; null if it does not say. */
  #log: ReplicationLog | null = null;
  #activeSentinel: ActiveSentinel | null = null;
  /** The sentinel that named the primary last, until the primary has said that it is one. */
  #unverified: SentinelServer | null = null;

  constructor(sentinels: readonly SentinelServer[], options: SessionOptions) {
    this.name = options.name;
    this.#options = options;
    this.order = new SentinelOrder(sentinels, options.addressMap);
  }

  /** What is known of the primary; null before a sentinel has named it. */
  get primary(): SentinelView | null {
    return this.#primary;
  }

  /**
   * Asks where the primary is. A sentinel that sent to a server which is none is asked last.
   *
   * @throws {SentinelError} when no sentinel says
   * @throws {AuthError} when those that answer want other credentials
   */
  async locate(signal: AbortSignal): Promise<Address> {
    if (this.#unverified !== null) this.order.putLast(this.#unverified);
    this.#unverified = null;
    const { sentinel, view, dialled, askedAt } = await this.#askInTurn(signal);
    this.order.putFirst(sentinel);
    this.#learn(view, askedAt);
    this.#unverified = sentinel;
    return dialled;
  }

  async inspect({ role }: ServerInfo, connection: Connection): Promise<number> {
    if (role === "replica") {
      const { server } = connection;
      throw new ConnectError(
        "WRONG_ROLE",
        `Cannot watch ${server}: ${
          this.#unverified!.node
        } calls it the primary of "${this.name}", ` +
          "but it says that it is a replica; a failover may be under way",
        { server },
      );
    }
    const askedAt = Date.now();
    const replication = await readReplication(connection);
    this.#unverified = null;
    let movedAfter = this.#movedAfter;
    this.#movedAfter = Infinity;
    // What sentinels know is late by as much as they were cut off; what was replicated is certain.
    if (movedAfter !== Infinity && this.#log !== null && replication?.previousId === this.#log.id) {
      movedAfter = this.#log.followedAt(replication.previousOffset);
    }
    if (replication === null) this.#log = null;
    else if (this.#log?.id === replication.id) this.noteOffset(replication.offset, askedAt);
    else this.#log = new ReplicationLog(replication, askedAt);
    return movedAfter;
  }

  /** Records the offset of the primary's replication stream when it was asked. */
  noteOffset(offset: number | null, askedAt: number): void {
    if (offset !== null) this.#log?.note(offset, askedAt);
  }

  /** The server that was named last may be down, or no primary yet. */
  isPassing(error: Error): boolean {
    return this.#unverified !== null &&
      !(error instanceof AuthError || error instanceof UnsupportedError);
  }

  /** Whether a sentinel knows of a failover that those asked before did not. */
  isAhead({ epoch }: SentinelView): boolean {
    const known = this.#primary?.epoch ?? null;
    return epoch !== null && known !== null && epoch > known;
  }

  #isBehind({ epoch }: SentinelView): boolean {
    const known = this.#primary?.epoch ?? null;
    return epoch !== null && known !== null && epoch < known;
  }

  /**
   * Asks one sentinel on a connection made for it.
   *
   * @param expected whose answer it has to be, where that can be known; anybody's if null
   * @throws {ConnectError} when the address leads to another one now
   * @throws {ConnectError} when it is none, or does not know the primary
   */
  async ask(
    sentinel: SentinelServer,
    signal: AbortSignal,
    expected: ServerInfo | null = null,
  ): Promise<SentinelView> {
    const { connection, info } = await openSentinel(sentinel, this.#options, signal);
    try {
      if (expected !== null && areOther(info, expected)) {
        throw new ConnectError(
          "OTHER_SERVER",
          `Cannot ask the sentinel at ${sentinel.node}: a second connection has reached another one`,
          { server: sentinel.node },
        );
      }
      return await this.read(sentinel, connection);
    } finally {
      connection.close();
    }
  }

  /** As {@linkcode Sentinels.ask}, on a connection that takes the question. */
  async read(sentinel: SentinelServer, connection: Connection): Promise<SentinelView> {
    const view = await readView(connection, this.name);
    if (view === null) {
      throw new SentinelError(
        "PRIMARY_UNKNOWN",
        `${sentinel.node} knows no primary "${this.name}"`,
        [],
      );
    }
    if (view.others !== null) this.order.learn(sentinel, view.others);
    return view;
  }

  /**
   * Asks where the replicas of the primary are, the best first.
   *
   * @throws why the last sentinel that was asked does not say
   */
  async replicas(signal: AbortSignal): Promise<Address[]> {
    let last: unknown;
    for (const sentinel of [...this.order]) {
      try {
        const { connection } = await openSentinel(sentinel, this.#options, signal);
        try {
          return (await readReplicas(connection, this.name)).map(this.#options.addressMap);
        } finally {
          connection.close();
        }
      } catch (error) {
        signal.throwIfAborted();
        last = error;
      }
    }
    throw last;
  }

  /** Follows another sentinel, or none. What the previous one has proven is kept. */
  follow(sentinel: ActiveSentinel | null): void {
    this.#namedAt = this.#onlyPrimaryUntil;
    this.#activeSentinel = sentinel;
  }

  /** Up to when the primary is known to have been the only one, as sentinels know it. */
  get #onlyPrimaryUntil(): number {
    const named = this.#activeSentinel?.address ?? null;
    if (named === null || this.#primary === null) return this.#namedAt;
    if (!sameAddress(named, this.#primary.address)) return this.#namedAt;
    return Math.max(this.#namedAt, this.#activeSentinel!.lastAckAt);
  }

  #learn(view: SentinelView, askedAt: number): void {
    const known = this.#primary;
    if (known !== null && !sameAddress(known.address, view.address)) {
      this.#movedAfter = Math.min(this.#movedAfter, this.#onlyPrimaryUntil - LEARNING_MS);
    }
    this.#primary = view;
    this.#namedAt = askedAt;
  }

  /**
   * Asks one sentinel after another, and the next one also while the one before keeps silent. One
   * that has missed a failover counts only when nobody else answers.
   */
  async #askInTurn(signal: AbortSignal): Promise<Answer> {
    const behind: Answer[] = [];
    const failures: SentinelFailure[] = [];
    const questions = [...this.order].map((sentinel) => async (race: AbortSignal) => {
      const askedAt = Date.now();
      let view: SentinelView;
      let dialled: Address;
      try {
        view = await this.ask(sentinel, race);
        // Where the caller's map has no place for it, another sentinel may know better.
        dialled = this.#options.addressMap(view.address);
      } catch (error) {
        failures.push({ sentinel: sentinel.node, error: error as Error });
        throw error;
      }
      const answer = { sentinel, view, dialled, askedAt };
      if (!this.#isBehind(view)) return answer;
      behind.push(answer);
      throw new ConnectError("WRONG_ROLE", `${sentinel.node} has missed a failover`, {
        server: sentinel.node,
      });
    });
    try {
      return await raceStaggered(questions, STAGGER_MS, signal);
    } catch (error) {
      if (!(error instanceof AggregateError)) throw error;
      const [newest] = behind.sort((a, b) => b.view.epoch! - a.view.epoch!);
      if (newest !== undefined) return newest;
      throw this.#explain(failures);
    }
  }

  #explain(failures: readonly SentinelFailure[]): Error {
    const each = quoteEach(failures.map(({ error }) => error), "sentinels");
    const what = `Cannot find the primary "${this.name}"`;
    // Of the option addressMap.
    const unmapped = failures.filter(({ error }) => error instanceof TypeError);
    if (unmapped.length === failures.length && unmapped.length > 0) return unmapped[0]!.error;
    const locked = failures.filter(({ error }) => error instanceof AuthError);
    const ignorant = failures.filter(({ error }) => error instanceof SentinelError);
    if (locked.length > 0 && ignorant.length === 0) {
      return new AuthError(
        "PASSWORD_REFUSED",
        `${what}: the sentinels refuse the login: ${each}; check sentinelCredentials and their URLs`,
        { cause: locked[0]!.error },
      );
    }
    return ignorant.length > 0
      ? new SentinelError(
        "PRIMARY_UNKNOWN",
        `${what}: no sentinel knows that name: ${each}; SENTINEL MASTERS lists the names they know`,
        failures,
      )
      : new SentinelError(
        "SENTINELS_UNREACHABLE",
        `${what}: no sentinel can be asked: ${each}; check that sentinels listen there`,
        failures,
      );
  }
}

/** What a sentinel has answered, and when it was asked, in ms since the epoch. */
interface Answer {
  readonly sentinel: SentinelServer;
  readonly view: SentinelView;
  /** The address at which the primary is connected to. */
  readonly dialled: Address;
  readonly askedAt: number;
}
