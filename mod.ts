/**
 * Redis and Valkey keyspace notifications for Deno, Bun, Node and other small runtimes.
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * for await (const { database, eventType, key } of notifications) {
 *   console.log(database, eventType, key);
 * }
 * ```
 *
 * @module
 */

export * from "./cluster/mod.ts";
export * from "./events/mod.ts";
export * from "./parse/mod.ts";
export * from "./pubsub/mod.ts";
export * from "./resp/mod.ts";
