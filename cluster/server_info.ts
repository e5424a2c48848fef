import { hasSection, parseInfo } from "../pubsub/info.ts";
import type { Reply } from "../resp/mod.ts";
import { textOf } from "./discovery/reply_fields.ts";

/**
 * What a node's count of commands tells of its keys.
 *
 * @example
 * ```ts
 * import type { CommandStats } from "@keywatch/keywatch/cluster";
 *
 * const isWhole = (earlier: CommandStats, later: CommandStats): boolean =>
 *   earlier.emptied !== null && earlier.emptied === later.emptied;
 * ```
 */
export interface CommandStats {
  /**
   * Whether a move of slots as a whole repeats everything that was written at the node.
   *
   * `MSETEX`, of Redis 8.4 and Valkey 9.1, is told as `set` like any other, but neither server repeats
   * it (as measured on Redis 8.6.3 and Valkey 9.1.2, where the keys are lost). So it must never have
   * been run.
   */
  readonly repeatsAll: boolean;
  /**
   * A text that is another one once keys may have gone without an event, by `FLUSHALL`, `FLUSHDB` or
   * the like, or the counts were reset; null where the node does not tell.
   */
  readonly emptied: string | null;
}

/**
 * Reads the answer to `INFO commandstats`. Resetting the counts is counted itself.
 *
 * @param reply the answer; what cannot be understood proves nothing
 * @returns what it tells
 *
 * @example
 * ```ts
 * import { readCommandStats } from "@keywatch/keywatch/cluster";
 *
 * const { repeatsAll, emptied } = readCommandStats(
 *   "# Commandstats\r\ncmdstat_set:calls=12,usec=34\r\ncmdstat_flushall:calls=1,usec=5\r\n",
 * );
 * console.log(repeatsAll, emptied); // true "flushall 1"
 * ```
 */
export function readCommandStats(reply: Reply): CommandStats {
  const text = textOf(reply);
  if (text === null || !hasSection(text, "Commandstats")) {
    return { repeatsAll: false, emptied: null };
  }
  const info = parseInfo(text, [...UNREPEATED, ...EMPTYING]);
  return {
    repeatsAll: UNREPEATED.every((name) => info.get(name)?.startsWith("calls=0,") ?? true),
    emptied: EMPTYING.flatMap((name) => {
      const calls = /^calls=(\d+)/.exec(info.get(name) ?? "")?.[1];
      return calls === undefined ? [] : [`${name.slice("cmdstat_".length)} ${calls}`];
    }).join(),
  };
}

/** What a move of slots as a whole does not repeat, and what hides that it was run. */
const UNREPEATED = ["cmdstat_msetex", "cmdstat_config|resetstat"] as const;

/** What takes keys away without an event, and what hides that it was run. */
const EMPTYING = [
  "cmdstat_cluster|flushslot",
  "cmdstat_cluster|reset",
  "cmdstat_config|resetstat",
  "cmdstat_debug",
  "cmdstat_flushall",
  "cmdstat_flushdb",
  "cmdstat_swapdb",
] as const;

/**
 * Whether some key of a node may have run out of its time, by its answer to `INFO keyspace`: a key
 * that has is listed until it is deleted, and cannot be counted on to be copied.
 *
 * @param reply the answer; what cannot be understood leaves it possible
 *
 * @example
 * ```ts
 * import { mayLapse } from "@keywatch/keywatch/cluster";
 *
 * console.log(mayLapse("# Keyspace\r\ndb0:keys=60006,expires=4,avg_ttl=0\r\n")); // true
 * ```
 */
export function mayLapse(reply: Reply): boolean {
  const text = textOf(reply);
  if (text === null || !hasSection(text, "Keyspace")) return true;
  for (let end = 0;;) {
    const start = text.indexOf("\ndb", end) + 1;
    if (start === 0) return false;
    const next = text.indexOf("\n", start);
    end = next < 0 ? text.length : next;
    const line = text.slice(start, end);
    if (!/^db\d/.test(line)) continue;
    if (!/[:,]expires=0\b/.test(line)) return true;
    if (/[:,](?:subexpiry|keys_with_volatile_items)=(?!0\b)/.test(line)) return true;
  }
}
