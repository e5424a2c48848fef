import type { Replication } from "../connection/info.ts";
import type { Side } from "./side.ts";

/** What two servers say of their histories. */
export interface Verification {
  /** Why the replica does not emit what its primary emits; null if it does. */
  readonly problem: string | null;
  /** The history of each; null if they do not have the same, or do not tell. */
  readonly histories: { readonly ours: Replication; readonly theirs: Replication } | null;
}

/**
 * Finds out whether two servers have one history, and emit the same events.
 *
 * @throws if a connection is over
 */
export async function verify(primary: Side, replica: Side): Promise<Verification> {
  // Loaded already, with the first connection.
  const { compareFlags, flagsIn, readReplication } = await import("../on_demand.ts");
  const read = ({ server }: Side) =>
    server.withConnection(async (connection) => {
      const [replication, flags] = await Promise.all([
        readReplication(connection),
        connection.request("CONFIG", "GET", "notify-keyspace-events").then(
          (reply) => flagsIn(connection, reply),
          () => null,
        ),
      ]);
      return { replication, flags };
    });
  const [one, other] = await Promise.all([read(primary), read(replica)]);
  const [ours, theirs] = [one.replication, other.replication];
  return {
    problem: ours === null || theirs === null
      ? "INFO does not tell how far the replication has come"
      : compareFlags(one.flags, other.flags),
    histories: ours !== null && theirs !== null && ours.id === theirs.id ? { ours, theirs } : null,
  };
}

/** Keys of which events may be missing, may have come twice or under another name, and since when. */
export class Doubts {
  readonly #keys = new Map<string, number>();

  /** @param id as of a `StandbyEvent` */
  add(id: string, from: number): void {
    const key = id.slice(id.indexOf(":") + 1);
    this.#keys.set(key, Math.min(from, this.#keys.get(key) ?? Infinity));
  }

  /** Takes them out; null if there are none. */
  take(): { readonly keys: string[]; readonly from: number } | null {
    if (this.#keys.size === 0) return null;
    const keys = [...this.#keys.keys()];
    const from = Math.min(...this.#keys.values());
    this.#keys.clear();
    return { keys, from };
  }
}
