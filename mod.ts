/**
 * Redis and Valkey keyspace notifications for Deno, Bun, Node and other small runtimes: which keys
 * are set, deleted, expired or evicted, as it happens. Every event is delivered, or the gap it fell
 * into is reported.
 *
 * {@linkcode connect} takes the URL of a server, those of some nodes of a cluster, or sentinels. What
 * is subscribed comes to handlers or in one stream, and goes on coming after lost connections,
 * failovers and moves of slots; what may be missing is a {@linkcode Gap} at its place in the stream.
 *
 * Servers send nothing until `notify-keyspace-events` is set, to `KEA` for most purposes. A
 * subscription that could never bring anything is rejected, with the command that mends it.
 *
 * What the other entries export is here too, but for `./cli`, the tool, and `./connection`. `./parse`, `./events` and
 * `./resp` open no socket: they have what is in the messages of any client, what servers send, and
 * the protocol by itself.
 *
 * @example
 * ```ts no-run
 * import { connect } from "@keywatch/keywatch";
 *
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*");
 * for await (const item of notifications.listen({ gaps: true })) {
 *   if (item.kind === "gap") console.log(`something of ${item.node} may be missing: ${item.reason}`);
 *   else console.log(item.database, item.eventType, item.key);
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
