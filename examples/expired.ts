/**
 * Prints each key of a server that expires, and each gap in which one may have been missed, until
 * Ctrl-C: `deno run --allow-net examples/expired.ts`, on a server that was told
 * `CONFIG SET notify-keyspace-events Ex`.
 *
 * @module
 */

import { connect } from "../mod.ts";

await using notifications = await connect("redis://localhost:6379");
await notifications.subscribeKeyevent("expired", { db: "*" });
for await (const item of notifications.listen({ gaps: true })) {
  if (item.kind === "gap") console.log(`gap: ${item.reason}, ${item.to - item.from} ms`);
  else console.log(`${item.key} has expired in database ${item.database}`);
}
