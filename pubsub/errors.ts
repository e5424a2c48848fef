/**
 * What can go wrong between this program and a server, one small class each.
 *
 * @module
 */

import type { Channel } from "../parse/mod.ts";
import type { Subscription } from "./subscription.ts";

/** A connection could not be made, or broke: nothing listens there, it is no Redis, it hung up. */
export class ConnectError extends Error {
  /** Always `"ConnectError"`. */
  override readonly name = "ConnectError";
}

/** This runtime's sockets cannot do what was asked of them; to try again does not help. */
export class UnsupportedError extends Error {
  /** Always `"UnsupportedError"`. */
  override readonly name = "UnsupportedError";
}

/** The server refused the user name or password, or demands one and got none. */
export class AuthError extends Error {
  /** Always `"AuthError"`. */
  override readonly name = "AuthError";
}

/** A wait ran into its deadline. */
export class TimeoutError extends Error {
  /** Always `"TimeoutError"`. */
  override readonly name = "TimeoutError";
  /** The deadline that passed, in milliseconds. */
  readonly timeout: number;

  /**
   * What was waited for, and how long.
   *
   * @param message what was waited for, and from whom
   * @param timeout the deadline, in milliseconds
   * @param options `cause`: the error behind this one
   */
  constructor(message: string, timeout: number, options?: ErrorOptions) {
    super(message, options);
    this.timeout = timeout;
  }
}

/** What one sentinel had to say instead of the primary's address. */
export interface SentinelFailure {
  /** The sentinel, as `host:port`. */
  readonly sentinel: string;
  /** Its own words, or what broke on the way. */
  readonly error: Error;
}

/** No sentinel says where the primary is. */
export class SentinelError extends Error {
  /** Always `"SentinelError"`. */
  override readonly name = "SentinelError";
  /** What came of asking each of them, in the order in which they failed. */
  readonly failures: readonly SentinelFailure[];

  /**
   * What could not be found.
   *
   * @param message which primary, why, and what to do about it
   * @param failures what came of asking each sentinel
   */
  constructor(message: string, failures: readonly SentinelFailure[]) {
    super(message, { cause: failures[0]?.error });
    this.failures = failures;
  }
}

/** What was asked of an object that has been closed, or a wait that closing ended. */
export class ClosedError extends Error {
  /** Always `"ClosedError"`. */
  override readonly name = "ClosedError";
}

/** The server's `notify-keyspace-events` lets nothing through to a channel that was asked for. */
export class MissingFlagsError extends Error {
  /** Always `"MissingFlagsError"`. */
  override readonly name = "MissingFlagsError";
  /** The server, as `host:port`. */
  readonly server: string;
  /** What the server answered for `notify-keyspace-events`. */
  readonly configured: string;
  /** The letters without which the channels stay silent. */
  readonly missing: string;

  /**
   * What is missing, and where.
   *
   * @param message what could not be done, and the command that mends it
   * @param details the server, its flags and the letters it lacks
   */
  constructor(
    message: string,
    details: { server: string; configured: string; missing: string },
  ) {
    super(message);
    this.server = details.server;
    this.configured = details.configured;
    this.missing = details.missing;
  }
}

/** The server has no such database as that of a channel which was asked for. */
export class MissingDatabaseError extends Error {
  /** Always `"MissingDatabaseError"`. */
  override readonly name = "MissingDatabaseError";
  /** The server, as `host:port`. */
  readonly server: string;
  /** The database that it has not. */
  readonly database: number;

  /**
   * What is missing, and where.
   *
   * @param message what could not be done, and what the server said
   * @param details the server, and the database
   */
  constructor(message: string, details: { server: string; database: number }) {
    super(message);
    this.server = details.server;
    this.database = details.database;
  }
}

/** One channel that a server would not subscribe, and its own words. */
export interface RefusedChannel {
  /** The channel or pattern. */
  readonly channel: Channel;
  /** The server that refused, as `host:port`. */
  readonly server: string;
  /** Why: the server's error, or what broke on the way. */
  readonly error: Error;
}

/** A server refused some channels of a subscription, or all. */
export class SubscribeRefusedError extends Error {
  /** Always `"SubscribeRefusedError"`. */
  override readonly name = "SubscribeRefusedError";
  /** Each channel that was refused, where, and why. */
  readonly refused: readonly RefusedChannel[];
  /** The hold on the other channels, which are subscribed; null when there are none. */
  readonly subscription: Subscription | null;

  /**
   * What was refused.
   *
   * @param message what was refused and what to do about it
   * @param refused each channel, where, and why
   * @param subscription the hold on the other channels
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
