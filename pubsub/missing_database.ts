import { getChannelType } from "../parse/mod.ts";
import { ServerError } from "../resp/mod.ts";
import { clip } from "./clip.ts";
import type { Connection } from "./connection.ts";
import { MissingDatabaseError } from "./errors.ts";
import type { ServerChannel } from "./registry.ts";

/** What servers say of a database they have not; most clusters have but one. */
const MISSING = /out of range|not allowed in cluster mode/i;

/**
 * Finds out whether the server has the databases that channels name. Subscribing does not tell:
 * notifications of a database that is not there just never come.
 *
 * @returns which it has not; null when it has them all, or does not tell
 * @throws the reason for which the connection is over
 */
export async function findMissingDatabase(
  connection: Connection,
  channels: Iterable<ServerChannel>,
): Promise<MissingDatabaseError | null> {
  const asked = new Map<string, ServerChannel>();
  for (const channel of channels) {
    const database = databaseOf(channel);
    // There is no server without a first one.
    if (database !== null && database !== "0") asked.set(database, channel);
  }
  const questions = Array.from(asked.keys(), (database) => whyNot(connection, database));
  // In the order of sending it is the last: what else is asked, such as for a slot's keys, is of the
  // first database.
  if (questions.length > 0) questions.push(whyNot(connection, "0"));
  const refusals = await Promise.all(questions);
  for (const [index, [database, channel]] of [...asked].entries()) {
    const why = refusals[index]!;
    if (why !== null) return describe(connection.server, database, channel, why);
  }
  return null;
}

/** Why the server has not the database, in its own words; null when it has, or does not tell. */
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
const LONGEST_START = 32;

const decoder = new TextDecoder();

/** The database that a channel names; null when it is none of the notifications', or names many. */
function databaseOf({ bytes }: ServerChannel): string | null {
  if (getChannelType(bytes) === null) return null;
  const start = decoder.decode(bytes.subarray(0, LONGEST_START));
  return /^[^@]*@(\d+)__:/.exec(start)?.[1] ?? null;
}

function describe(
  server: string,
  database: string,
  channel: ServerChannel,
  why: string,
): MissingDatabaseError {
  const name = clip(decoder.decode(channel.bytes));
  return new MissingDatabaseError(
    `Cannot receive anything on "${name}" from ${server}: it has no database ${database} ` +
      `(${why}); CONFIG GET databases tells how many it has, and the first is 0`,
    { server, database: Number(database) },
  );
}
