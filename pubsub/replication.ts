import type { Replication } from "./connection/info.ts";

/** With how many entries a log is thinned out. */
const MAX_ENTRIES = 2048;

/** How far apart the entries of a log that was thinned out may be, as a part of their age. */
const COARSENESS = 1 / 50;

/**
 * How far a primary's stream had come, and when. It shows when a replica was promoted: not before
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
