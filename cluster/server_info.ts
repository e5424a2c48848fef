import type { Reply } from "../resp/mod.ts";
import { textOf } from "./reply_fields.ts";

/**
 * Whether a move of slots as a whole repeats everything that was written at a node, by its answer to
 * `INFO commandstats`.
 *
 * `MSETEX`, of Redis 8.4 and Valkey 9.1, is told as `set` like any other, but neither server repeats
 * it (as measured on Redis 8.6.3 and Valkey 9.1.2, where the keys are lost). So it must never have
 * been run. Resetting the counts is counted itself.
 *
 * @param reply the answer; what cannot be understood proves nothing
 *
 * @example
 * ```ts
 * import { repeatsAll } from "@keywatch/keywatch/cluster";
 *
 * console.log(repeatsAll("# Commandstats\r\ncmdstat_set:calls=12,usec=34\r\n")); // true
 * console.log(repeatsAll("# Commandstats\r\ncmdstat_msetex:calls=1,usec=5\r\n")); // false
 * ```
 */
export function repeatsAll(reply: Reply): boolean {
  const text = textOf(reply);
  return text !== null && /^# Commandstats\r?$/m.test(text) &&
    !/^cmdstat_(msetex|config\|resetstat):calls=(?!0,)/m.test(text);
}

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
  if (text === null || !/^# Keyspace\r?$/m.test(text)) return true;
  return text.split("\n").some((line) =>
    /^db\d/.test(line) && (!/[:,]expires=0\b/.test(line) ||
      /[:,](?:subexpiry|keys_with_volatile_items)=(?!0\b)/.test(line))
  );
}
