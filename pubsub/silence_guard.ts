import type { MissingDatabaseError, MissingFlagsError, SubscribeRefusedError } from "./errors.ts";
import type { Connection } from "./connection.ts";
import { FlagGuard } from "./flag_guard.ts";
import { findMissingDatabase } from "./missing_database.ts";
import type { ServerChannel } from "./registry.ts";

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
export type SilenceError = MissingFlagsError | MissingDatabaseError | SubscribeRefusedError;

/** Looks for what would keep one server silent: a subscription by itself succeeds all the same. */
export class SilenceGuard {
  readonly #policy: FlagsPolicy;
  readonly #flagGuard: FlagGuard;

  constructor(policy: FlagsPolicy) {
    this.#policy = policy;
    this.#flagGuard = new FlagGuard(policy === "merge" ? "add" : "look");
  }

  /** The flags that the server told last; `unknown` when it would not; null when never asked. */
  get flags(): string | null {
    return this.#flagGuard.flags;
  }

  /**
   * Finds out whether something can come on each of the channels.
   *
   * @returns why nothing can; null when it can, when it cannot be told, or does not matter
   * @throws the reason for which the connection is over
   */
  async check(
    connection: Connection,
    channels: Iterable<ServerChannel>,
  ): Promise<SilenceError | null> {
    if (this.#policy === "ignore") return null;
    const asked = [...channels];
    return await findMissingDatabase(connection, asked) ??
      await this.#flagGuard.check(connection, asked);
  }
}
