import type { Flush, Gap, KeyNotification } from "../../mod.ts";

/** What is forwarded, in the order in which it came. */
export type Item = KeyNotification | Gap | Flush;

/** Where notifications are forwarded to. */
export interface Sink {
  /** What it is, for messages. */
  readonly name: string;
  /**
   * Prepares it.
   *
   * @throws when it cannot work
   */
  start(): Promise<void>;
  /**
   * Takes items; resolves once it is ready for more, so that what waits is bounded.
   *
   * @throws if it can take nothing further
   */
  take(items: readonly Item[]): Promise<void>;
  /**
   * Resolves once everything taken is done.
   *
   * @returns whether all of it succeeded
   */
  end(): Promise<boolean>;
}
