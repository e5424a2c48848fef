import { assertEquals } from "@std/assert";
import type { ConnectOptions, KeyspaceNotificationsInterface, SentinelTarget } from "../../mod.ts";
import { startServer, type TestServer, until } from "../servers/mod.ts";

/** What a server starts with that reports all. */
export const TALKATIVE = {
  config: { "notify-keyspace-events": "KEA" },
};

/** Sentinels that know `mymaster`. */
export function target(...sentinels: { readonly url: string }[]): SentinelTarget {
  return { sentinels: sentinels.map(({ url }) => url), name: "mymaster" };
}

/** A primary and a replica of it, each of which would tell all. */
export async function startPair(): Promise<AsyncDisposableStack & { servers: TestServer[] }> {
  const stack = new AsyncDisposableStack();
  const primary = stack.use(await startServer(TALKATIVE));
  const replica = stack.use(await startServer(TALKATIVE));
  await follow(replica, primary);
  return Object.assign(stack, { servers: [primary, replica] });
}

/**
 * Makes one server a replica of another, and waits until it has copied it.
 *
 * @returns when it certainly was no longer a primary, in ms since the epoch
 */
export async function follow(replica: TestServer, primary: TestServer): Promise<number> {
  const demotedAt = await demote(replica, primary);
  await until("the replica follows", async () => {
    return String(await replica.command("INFO", "replication")).includes("master_link_status:up");
  });
  return demotedAt;
}

/**
 * Makes one server a replica of another. Up to the returned time, in ms since the epoch, it may have
 * said that it is a primary.
 */
export async function demote(server: TestServer, primary: TestServer): Promise<number> {
  await server.command("REPLICAOF", primary.host, primary.port);
  return Date.now();
}

/** Makes a replica a primary. */
export async function promote(server: TestServer): Promise<void> {
  await server.command("REPLICAOF", "NO", "ONE");
}

/** A server, as the library names it. */
export function nodeOf({ host, port }: TestServer): string {
  return `${host}:${port}`;
}

/** Sees that what happens on a server is reported. */
export async function assertTells(
  notifications: KeyspaceNotificationsInterface,
  server: TestServer,
): Promise<void> {
  assertEquals(notifications.status().nodes[0]!.node, nodeOf(server));
  await server.command("SET", "k", "x");
  const { eventType, key } = (await notifications.getMessage({ timeout: 20_000 }))!;
  assertEquals([eventType, key], ["set", "k"]);
}

/** Whom neither the servers' replication streams nor, in RESP2, their roles are reported. */
export const BLIND: ConnectOptions = { username: "blind", password: "pw" };

/** Gives servers that user. */
export async function blind(servers: readonly TestServer[]): Promise<void> {
  for (const server of servers) {
    await server.command(
      "ACL",
      "SETUSER",
      "blind",
      "on",
      ">pw",
      "~*",
      "&*",
      "+@all",
      "-info",
      "-role",
    );
  }
}
