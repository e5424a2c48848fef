import type { Verdict } from "./node_state.ts";
import type { Question } from "./question.ts";

/**
 * What {@linkcode Ownership} tells and asks.
 *
 * @example
 * ```ts
 * import type { OwnershipSink } from "@keywatch/keywatch/cluster";
 *
 * const sink: OwnershipSink<string> = {
 *   decide: (key, verdict) => console.log(key, verdict),
 *   ask: (question) => console.log(question.kind),
 *   renew: (node, since) => console.log(`${node} is a primary again, unheard since ${since}`),
 * };
 * ```
 */
export interface OwnershipSink<Item> {
  /**
   * An event has its verdict. Events of one stream come in their order.
   *
   * @param item what was handed in with the event
   * @param verdict what it is; `uncertain` is to be delivered
   */
  decide(item: Item, verdict: Verdict): void;
  /** Something has to be asked of the cluster. Each question comes once, and none is in a hurry. */
  ask(question: Question): void;
  /**
   * A node that was a replica is a primary again. Its stream is closed: what it had sent last was what
   * its primary did, and nobody can tell where its own begins. Another stream of it is to be opened
   * with another connection, once {@linkcode Ownership.isContested} is false of it; what it sent
   * until then may be missing.
   *
   * @param node the node's id
   * @param since a time at which it was a replica, and since which nobody may have told its slots, by
   * the clock of the events
   */
  renew(node: string, since: number): void;
}

/**
 * Limits of {@linkcode Ownership}.
 *
 * @example
 * ```ts
 * import { Ownership, type OwnershipOptions } from "@keywatch/keywatch/cluster";
 *
 * const options: OwnershipOptions = { maxWait: 500, maxHeldBytes: 2 ** 20 }; // ms, bytes
 * const sink = { decide: console.log, ask: console.log, renew: console.log };
 * const ownership = new Ownership<string>(sink, options);
 * ```
 */
export interface OwnershipOptions {
  /** The longest an event waits for its verdict, in ms; then it is uncertain. Default: 1000. */
  readonly maxWait?: number;
  /**
   * How long a `del` waits for a sign that its slot is on the move, in ms. `MIGRATE` restores the key
   * at its new node first, but that is often read a moment later: 0.4 ms at most, as measured on one
   * machine. With 0 such deletions are delivered until the first sign has come. Default: 1.
   */
  readonly settle?: number;
  /** Events that wait, at most; beyond that the oldest of a stream is uncertain. Default: 50,000. */
  readonly maxHeld?: number;
  /** Bytes of them, as the caller counts them, at most. Default: 16 MiB. */
  readonly maxHeldBytes?: number;
}
