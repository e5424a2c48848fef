/**
 * Prints each key that expires, and each gap in which one may have been missed. The shortest of the
 * examples.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect } from "@keywatch/keywatch";
import { REDIS_URL } from "./redis.ts";

await using notifications = await connect(REDIS_URL);
await notifications.subscribeKeyevent("expired", { db: "*" });
for await (const item of notifications.listen({ gaps: true })) {
  if (item.kind === "gap") console.log(`gap: ${item.reason}, ${item.to - item.from} ms`);
  else console.log(`${item.key} has expired in database ${item.database}`);
}
