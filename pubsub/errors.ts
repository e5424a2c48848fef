/**
 * What can go wrong with subscriptions, with a server's settings and with sentinels, one small class
 * each.
 *
 * @module
 */

import type { Channel } from "../parse/mod.ts";
import { CodedError } from "./connection/errors.ts";
import type { Subscription } from "./subscription.ts";

/**
 * What one sentinel had to say instead of the primary's address.
 *
 * @example
 * ```ts
 * import type { SentinelFailure } from "@keywatch/keywatch/pubsub";
 *
 * function toLine({ sentinel, error }: SentinelFailure): string {
 *   return `${sentinel}: ${error.message}`;
 * }
 * ```
 */
export interface SentinelFailure {
  /** The sentinel, as `host:port`. */
  readonly sentinel: string;
  /** Its own words, or what broke on the way. */
  readonly error: Error;
}

/**
 * No sentinel says where the primary is.
 *
 * Its `code`:
 *
 * - `PRIMARY_UNKNOWN`: no sentinel knows a primary of that name;
 * - `SENTINELS_UNREACHABLE`: none of them can be asked.
 *
 * @example
 * ```ts no-run
 * import { connect, SentinelError } from "@keywatch/keywatch";
 *
 * try {
 *   await connect({ sentinels: ["redis://10.0.0.1", "redis://10.0.0.2"], name: "mymaster" });
 * } catch (error) {
 *   if (!(error instanceof SentinelError)) throw error;
 *   for (const { sentinel, error: why } of error.failures) console.error(sentinel, why.message);
 * }
 * ```
 */
export class SentinelError extends CodedError<"PRIMARY_UNKNOWN" | "SENTINELS_UNREACHABLE"> {
  /** Always `"SentinelError"`. */
  override readonly name = "SentinelError";
  /** What came of asking each of them, in the order in which they failed. */
  readonly failures: readonly SentinelFailure[];

  /**
   * What could not be found.
   *
   * @param code the kind of failure
   * @param message which primary, why, and what to do about it
   * @param failures what came of asking each sentinel
   */
  constructor(
    code: SentinelError["code"],
    message: string,
    failures: readonly SentinelFailure[],
  ) {
    super(code, message, { cause: failures[0]?.error });
    this.failures = failures;
  }
}

/**
 * The server's `notify-keyspace-events` lets nothing through to a channel that was asked for.
 *
 * @example
 * ```ts no-run
 * import { connect, MissingFlagsError } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * try {
 *   await notifications.subscribeKeyevent("expired");
 * } catch (error) {
 *   if (!(error instanceof MissingFlagsError)) throw error;
 *   console.error(`${error.server} has "${error.configured}"; run ${error.command}`);
 * }
 * ```
 */
export class MissingFlagsError extends CodedError<"FLAGS_MISSING"> {
  /** Always `"MissingFlagsError"`. */
  override readonly name = "MissingFlagsError";
  /** The server, as `host:port`; of a cluster's nodes the first. The message names the others too. */
  declare readonly server: string;
  /** What the server answered for `notify-keyspace-events`. */
  readonly configured: string;
  /** The letters that are missing for the channels, including those that the server does not know. */
  readonly missing: string;
  /** The command that adds those letters that the server knows; null if it knows none of them. */
  readonly command: string | null;

  /**
   * Makes the error.
   *
   * @param message what could not be done, and the command that fixes it
   * @param details the values of the fields
   */
  constructor(
    message: string,
    details: { server: string; configured: string; missing: string; command: string | null },
  ) {
    super("FLAGS_MISSING", message, details);
    this.configured = details.configured;
    this.missing = details.missing;
    this.command = details.command;
  }
}

/**
 * The server has no such database as that of a channel which was asked for.
 *
 * @example
 * ```ts no-run
 * import { connect, MissingDatabaseError } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * try {
 *   await notifications.subscribeKeyspace("user:*", { db: 99 });
 * } catch (error) {
 *   if (!(error instanceof MissingDatabaseError)) throw error;
 *   console.error(`${error.server} has no database ${error.database}`);
 * }
 * ```
 */
export class MissingDatabaseError extends CodedError<"DATABASE_MISSING"> {
  /** Always `"MissingDatabaseError"`. */
  override readonly name = "MissingDatabaseError";
  /** The server, as `host:port`. */
  declare readonly server: string;
  /** The database that it has not. */
  readonly database: number;

  /**
   * Makes the error.
   *
   * @param message what could not be done, and what the server said
   * @param details the values of the fields
   */
  constructor(message: string, details: { server: string; database: number }) {
    super("DATABASE_MISSING", message, details);
    this.database = details.database;
  }
}

/**
 * One channel that a server would not subscribe, and its own words.
 *
 * @example
 * ```ts
 * import type { RefusedChannel } from "@keywatch/keywatch/pubsub";
 *
 * function toLine({ channel, server, error }: RefusedChannel): string {
 *   return `${server} refuses ${channel}: ${error.message}`;
 * }
 * ```
 */
export interface RefusedChannel {
  /** The channel or pattern. */
  readonly channel: Channel;
  /** The server that refused, as `host:port`. */
  readonly server: string;
  /** Why: the server's error, or what broke on the way. */
  readonly error: Error;
}

/**
 * A server refused some channels of a subscription, or all.
 *
 * @example
 * ```ts no-run
 * import { connect, SubscribeRefusedError } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * try {
 *   await notifications.subscribe("__keyevent@0__:del", "__keyevent@0__:expired");
 * } catch (error) {
 *   if (!(error instanceof SubscribeRefusedError)) throw error;
 *   for (const { channel, error: why } of error.refused) console.error(`${channel}`, why.message);
 *   await error.subscription?.unsubscribe(); // All or nothing.
 * }
 * ```
 */
export class SubscribeRefusedError extends Error {
  /** Always `"SubscribeRefusedError"`. */
  override readonly name = "SubscribeRefusedError";
  /** Always `"SUBSCRIBE_REFUSED"`. */
  readonly code = "SUBSCRIBE_REFUSED";
  /** Each channel that was refused, where, and why. */
  readonly refused: readonly RefusedChannel[];
  /** The subscription to the other channels; null if there are none. */
  readonly subscription: Subscription | null;

  /**
   * What was refused.
   *
   * @param message what was refused and what to do about it
   * @param refused each channel, where, and why
   * @param subscription the subscription to the other channels
   */
  constructor(
    message: string,
    refused: readonly RefusedChannel[],
    subscription: Subscription | null,
  ) {
    super(message, { cause: refused[0]?.error });
    this.refused = refused;
    this.subscription = subscription;
  }
}
