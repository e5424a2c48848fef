import { ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { parseInfo } from "./connection/info.ts";

/** Where a primary stands in the stream of changes that its replicas follow. */
export interface Replication {
  /** The stream's name; another one from each promotion on. */
  readonly id: string;
  /** How far the stream has come, in bytes. */
  readonly offset: number;
  /** The stream it followed before it was promoted. */
  readonly previousId: string;
  /** How far it had followed that one, in bytes. */
  readonly previousOffset: number;
}

/**
 * Asks a primary where it stands.
 *
 * @returns null when it does not tell
 * @throws the reason for which the connection is over
 */
export async function readReplication(connection: Connection): Promise<Replication | null> {
  try {
    const info = parseInfo(await connection.request("INFO", "replication"), [
      "master_replid",
      "master_replid2",
      "master_repl_offset",
      "second_repl_offset",
    ]);
    const id = info.get("master_replid");
    const previousId = info.get("master_replid2");
    const offset = Number(info.get("master_repl_offset"));
    const previousOffset = Number(info.get("second_repl_offset")) - 1;
    if (id === undefined || previousId === undefined) return null;
    if (Number.isNaN(offset) || Number.isNaN(previousOffset)) return null;
    return { id, offset, previousId, previousOffset };
  } catch (error) {
    if (error instanceof ServerError) return null;
    throw error;
  }
}

/** With how many entries a log is thinned out. */
const MAX_ENTRIES = 2048;

/** How far apart the entries of a log that was thinned out may be, as a part of their age. */
const COARSENESS = 1 / 50;

/**
 * How far a primary's stream had come, and when. It tells when a replica was promoted: not before
 * something came into the stream that the replica has followed.
 */
export class ReplicationLog {
  /** The stream's name. */
  readonly id: string;
  /** Since when it is kept, in ms since the epoch. */
  readonly #since: number;
  /** The latest time at which each offset was the last, in order. */
  #entries: { readonly offset: number; at: number }[];

  /**
   * @param replication where the primary stood
   * @param at when it was asked, in ms since the epoch
   */
  constructor({ id, offset }: Replication, at: number) {
    this.id = id;
    this.#since = at;
    this.#entries = [{ offset, at }];
  }

  /** How far the stream had come when the primary was asked last. */
  get offset(): number {
    return this.#entries.at(-1)!.offset;
  }

  /** Notes how far the stream had come when the primary was asked at `at`, in ms since the epoch. */
  note(offset: number, at: number): void {
    const last = this.#entries.at(-1)!;
    if (offset === last.offset) {
      last.at = at;
      return;
    }
    this.#entries.push({ offset, at });
    if (this.#entries.length > MAX_ENTRIES) this.#thinOut(at);
  }

  /** Keeps the first entry, and of the others the fewer the older they are. */
  #thinOut(now: number): void {
    let kept = -Infinity;
    this.#entries = this.#entries.filter(({ at }) => {
      const keep = at - kept >= (now - at) * COARSENESS;
      if (keep) kept = at;
      return keep;
    });
  }

  /**
   * When a replica that has followed the stream up to `offset` still followed it.
   *
   * @returns a time, in ms since the epoch; the beginning of the log when it is not known to have
   */
  followedAt(offset: number): number {
    return this.#entries.findLast((entry) => entry.offset < offset)?.at ?? this.#since;
  }
}
