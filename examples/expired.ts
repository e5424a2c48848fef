/**
 * Prints each key that expires, and each gap. The shortest of the examples.
 *
 * `notify-keyspace-events Ex`
 *
 * @module
 */

import { connect } from "@keywatch/keywatch";
import { REDIS_URL } from "./redis.ts";

await using notifications = await connect(REDIS_URL);
await notifications.subscribeKeyevent("expired", { db: "*" });
console.log("watching for expired keys");
for await (const item of notifications.listen({ gaps: true })) {
  if (item.kind === "gap") {
    console.log(`${item.reason} for ${item.to - item.from} ms · what expired meanwhile is missing`);
  } else console.log(`${item.key} expired in database ${item.database}`);
}
