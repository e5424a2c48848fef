import type { MissingDatabaseError, MissingFlagsError, SubscribeRefusedError } from "./errors.ts";
import type { Connection } from "./connection/connection.ts";
import { FlagGuard, type FlagsLoss } from "./flag_guard.ts";
import { findMissingDatabases } from "./missing_database.ts";
import type { ServerChannel } from "./connection/requests.ts";

/**
 * What to do when nothing can ever come on a channel, because the server's `notify-keyspace-events`
 * lets nothing through to it or the server has no such database: `require` rejects the subscription,
 * `warn` tells `onWarning`, `ignore` does not look, and `merge` adds the letters that are missing to
 * those the server has, and rejects what that does not help.
 *
 * @example
 * ```ts no-run
 * import { connect, type FlagsPolicy } from "@keywatch/keywatch";
 *
 * const flags: FlagsPolicy = "merge";
 * await using notifications = await connect("redis://localhost:6379", { flags });
 * await notifications.subscribeKeyevent("expired"); // Adds the letters x and E where they lack.
 * ```
 */
export type FlagsPolicy = "require" | "warn" | "ignore" | "merge";

/** Why nothing can come on some channels. */
export type UndeliverableError = MissingFlagsError | MissingDatabaseError | SubscribeRefusedError;

/** Says why nothing can come on some channels; null when something can, or when nobody can say. */
export type FindUndeliverable = (channels: Iterable<ServerChannel>) => UndeliverableError | null;

/**
 * Checks whether a server can deliver anything on channels. Subscribing does not tell: it succeeds
 * although the flags or databases of the server let nothing through.
 */
export class DeliveryCheck {
  readonly #policy: FlagsPolicy;
  readonly #flagGuard: FlagGuard;
  /** The flags when all desired channels were checked last; null before. */
  #known: string | null = null;
  /** Whether they were others since, when only some of it was looked at. */
  #isOutdated = false;
  /** When it was asked last that they were as they are known, in ms since the epoch. */
  #soundAt = 0;

  constructor(policy: FlagsPolicy) {
    this.#policy = policy;
    this.#flagGuard = new FlagGuard(policy === "merge" ? "add" : "look");
  }

  /** The flags that the server told last; `unknown` when it would not; null when never asked. */
  get flags(): string | null {
    return this.#flagGuard.flags;
  }

  /** Whether the server tells its flags, and whether that matters. */
  get isTold(): boolean {
    return this.flags !== null && this.flags !== "unknown";
  }

  /**
   * Finds out whether something can come on each of the channels.
   *
   * @param groups the channels, those of each subscription together
   * @returns says so for channels of these groups
   * @throws the reason for which the connection is over
   */
  async check(
    connection: Connection,
    groups: readonly (readonly ServerChannel[])[],
  ): Promise<FindUndeliverable> {
    const askedAt = Date.now();
    const find = await this.#look(connection, groups);
    this.#known ??= this.flags;
    if (this.flags === this.#known) this.#soundAt = askedAt;
    else this.#isOutdated = true;
    return find;
  }

  /**
   * As {@linkcode check}, for all channels that are desired.
   *
   * @returns why nothing can come on some of them
   * @throws the reason for which the connection is over
   */
  async checkAll(
    connection: Connection,
    desired: Iterable<ServerChannel>,
  ): Promise<UndeliverableError | null> {
    const askedAt = Date.now();
    const channels = [...desired];
    const find = await this.#look(connection, [channels]);
    this.#know(askedAt);
    return find(channels);
  }

  /**
   * Finds out whether the flags were changed meanwhile, so that a desired channel cannot come
   * any more. What could not come before is no news.
   *
   * @param keepsTime whether whoever asks sees to it that the connection ends when no answer comes
   * @param sentAfter a time before which the last message was not sent, in ms since the epoch
   * @returns what is lost, and until when it was not, in ms since the epoch; null when nothing is
   * @throws the reason for which the connection is over
   */
  async recheck(
    connection: Connection,
    desired: Iterable<ServerChannel>,
    keepsTime: boolean,
    sentAfter: number,
  ): Promise<FlagsLoss & { readonly from: number } | null> {
    const before = this.#isOutdated ? null : this.#known;
    const soundAt = this.#soundAt;
    const askedAt = Date.now();
    const loss = await this.#flagGuard.recheck(connection, desired, before, keepsTime);
    this.#know(askedAt);
    // A message proves that something could come where all desired channels need the same.
    return loss && { ...loss, from: loss.isWhole ? Math.max(soundAt, sentAfter) : soundAt };
  }

  #know(askedAt: number): void {
    this.#known = this.flags;
    this.#isOutdated = false;
    this.#soundAt = askedAt;
  }

  async #look(
    connection: Connection,
    groups: readonly (readonly ServerChannel[])[],
  ): Promise<FindUndeliverable> {
    if (this.#policy === "ignore") return () => null;
    const findDatabase = await findMissingDatabases(connection, groups.flat());
    // A group that is refused for its database adds no letters.
    const rest = groups.filter((group) => findDatabase(group) === null);
    const findFlags = await this.#flagGuard.check(connection, rest);
    return (channels) => findDatabase(channels) ?? findFlags(channels);
  }
}
