import { getChannelType } from "../parse/mod.ts";
import { decodeText, ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { excerpt } from "./connection/printable.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { MissingDatabaseError } from "./errors.ts";

/** What servers say of a database they have not; most clusters have but one. */
const MISSING = /out of range|not allowed in cluster mode/i;

/**
 * Finds out whether the server has the databases that channels name. Subscribing does not tell:
 * notifications of a database that is not there just never come.
 *
 * @returns says which database of some of these channels it has not: null when it has them all, or
 * does not say
 * @throws the reason for which the connection is over
 */
export async function findMissingDatabases(
  connection: Connection,
  channels: Iterable<ServerChannel>,
): Promise<(channels: Iterable<ServerChannel>) => MissingDatabaseError | null> {
  const asked = new Set<string>();
  for (const channel of channels) {
    const database = databaseOf(channel);
    // There is no server without a first one.
    if (database !== null && database !== "0") asked.add(database);
  }
  const missing = new Map<string, string>();
  await Promise.all(Array.from(asked, async (database) => {
    const why = await whyNot(connection, database);
    if (why !== null) missing.set(database, why);
  }));
  return (channels) => {
    if (missing.size === 0) return null;
    for (const channel of channels) {
      const database = databaseOf(channel);
      const why = database === null ? undefined : missing.get(database);
      if (why !== undefined) {
        return describeMissingDatabase(connection.server, database!, channel, why);
      }
    }
    return null;
  };
}

/**
 * Why the server has not the database, in its own words; null when it has, or does not tell. By `SELECT`,
 * which more users may run than `CONFIG GET`; the connection touches no key, whatever it selects.
 */
async function whyNot(connection: Connection, database: string): Promise<string | null> {
  try {
    await connection.request("SELECT", database);
    return null;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return MISSING.test(error.message) ? error.message : null;
  }
}

/** The longest beginning, up to the key: `__subkeyspaceevent@2147483647__:`. */
const MAX_PREFIX_BYTES = 32;

/** The database that a channel names; null when it is none of the notifications', or names many. */
function databaseOf({ bytes }: ServerChannel): string | null {
  if (getChannelType(bytes) === null) return null;
  const start = decodeText(bytes, 0, Math.min(bytes.length, MAX_PREFIX_BYTES));
  return /^[^@]*@(\d+)__:/.exec(start)?.[1] ?? null;
}

function describeMissingDatabase(
  server: string,
  database: string,
  channel: ServerChannel,
  why: string,
): MissingDatabaseError {
  const name = excerpt(decodeText(channel.bytes), 100);
  return new MissingDatabaseError(
    `Cannot receive anything on "${name}" from ${server}: it has no database ${database} ` +
      `(${why}); CONFIG GET databases shows how many it has, and the first is 0`,
    { server, database: Number(database) },
  );
}
