import { join } from "node:path";
import type { TestServer } from "./server.ts";

/** The part of a server's state that tests may change. */
export interface State {
  /** What stays as it is: nothing but {@linkcode wipe} puts it back, where it can be put back. */
  readonly lasting: {
    readonly config: Readonly<Record<string, string>>;
    readonly users: readonly string[];
    readonly info: readonly string[];
    /** Who is in the cluster, replicates whom and owns what; empty outside a cluster. */
    readonly nodes: readonly string[];
    readonly migrations: readonly unknown[];
  };
  /** What takes a moment to follow: clients that end, links, and data of replicas. */
  readonly passing: {
    readonly info: readonly string[];
    readonly functions: unknown;
    readonly links: readonly string[];
    readonly health: string | null;
    readonly clients: number;
    /** What lies in its folder. */
    readonly files: readonly string[];
  };
}

/** Fields of `INFO` that are the same on every new server. */
const LASTING = /^(?:role|master_replid2):/;
const PASSING =
  /^(?:connected_slaves|master_link_status|number_of_cached_scripts|db\d+|pubsub_|blocked_|tracking_clients|loading)/;

async function config(server: TestServer): Promise<Record<string, string>> {
  const reply = await server.command("CONFIG", "GET", "*") as string[];
  const entries = reply.flatMap((name, i) => i % 2 === 0 ? [[name, reply[i + 1]!] as const] : []);
  // The server gives them in the order of a hash table, which may be rehashed meanwhile.
  return Object.fromEntries(entries.sort());
}

/** Clients but those that replicate; the one that asks is always there. */
async function clients(server: TestServer): Promise<number> {
  const list = await server.command("CLIENT", "LIST") as string;
  return list.trimEnd().split("\n").filter((line) => !/ flags=\w*[SM]/.test(line)).length;
}

/** What it read at a restart would be data of the test before. */
function files(server: TestServer): string[] {
  return [...Deno.readDirSync(server.dir)].map(({ name }) => name).sort();
}

/** The nodes of the cluster, as this one sees them; none outside a cluster. */
async function nodes(server: TestServer): Promise<Record<"nodes" | "links", string[]>> {
  const text = await server.command("CLUSTER", "NODES").catch(() => "") as string;
  const lines = text.split("\n").filter((line) => line !== "").sort().map((line) =>
    line.split(" ")
  );
  return {
    nodes: lines.map(([id, , , primary, , , epoch, , ...slots]) =>
      [id, primary, epoch, ...slots].join(" ")
    ),
    links: lines.map(([id, , flags, , , , , link]) => [id, flags, link].join(" ")),
  };
}

/** Whether this node finds its cluster well; null outside one. */
async function health(server: TestServer): Promise<string | null> {
  const text = await server.command("CLUSTER", "INFO").catch(() => "") as string;
  return /^cluster_state:\w+/m.exec(text)?.[0] ?? null;
}

/** The atomic migrations that this node remembers, also those that came to nothing. */
async function migrations(server: TestServer): Promise<unknown[]> {
  return await Promise.all(
    [["MIGRATION", "STATUS", "ALL"], ["GETSLOTMIGRATIONS"]].map((words) =>
      server.command("CLUSTER", ...words).catch(() => null)
    ),
  );
}

/**
 * Describes the state of a server so that it can be compared: its configuration, users, data,
 * functions, role, clients and place in a cluster.
 */
export async function stateOf(server: TestServer): Promise<State> {
  const info = (await server.command("INFO") as string).split("\r\n");
  const { nodes: known, links } = await nodes(server);
  return {
    lasting: {
      config: await config(server),
      // Only a user who was reset shows this default.
      users: (await server.command("ACL", "LIST") as string[])
        .map((rule) => rule.replace(" sanitize-payload", "")).sort(),
      info: info.filter((line) => LASTING.test(line)),
      nodes: known,
      migrations: await migrations(server),
    },
    passing: {
      info: info.filter((line) => PASSING.test(line)),
      functions: await server.command("FUNCTION", "LIST").catch(() => null),
      links,
      health: await health(server),
      clients: await clients(server),
      files: files(server),
    },
  };
}

/** Whether two descriptions, or parts of them, are the same. */
export function isSame<T>(one: T, other: T): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Undoes what tests do to a server: ends its clients, and puts data, scripts, users, configuration
 * and role back.
 *
 * @param before what {@linkcode stateOf} said of it when it was new
 */
export async function wipe(server: TestServer, before: State): Promise<void> {
  const { config: old, users, nodes } = before.lasting;
  const run = (...words: string[]) => server.command(...words);
  await run("CLIENT", "UNPAUSE");
  for (const type of ["normal", "pubsub"]) {
    await run("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
  }
  // In a cluster, who replicates whom is not ours to change; it is compared.
  if (nodes.length === 0) {
    await run("CLIENT", "KILL", "TYPE", "replica");
    await run("REPLICAOF", "NO", "ONE");
  }
  const [role] = await run("ROLE") as string[];
  if (role === "master") {
    await run("FLUSHALL");
    await run("FUNCTION", "FLUSH").catch(() => {});
  }
  await run("SCRIPT", "FLUSH");
  for (const [name, value] of Object.entries(await config(server))) {
    if (old[name] !== value) await run("CONFIG", "SET", name, old[name] ?? "");
  }
  const names = new Set(users.map((rule) => rule.split(" ")[1]!));
  for (const name of await run("ACL", "USERS") as string[]) {
    if (!names.has(name)) await run("ACL", "DELUSER", name);
  }
  for (const rule of users) {
    const [, name, ...words] = rule.split(" ");
    await run("ACL", "SETUSER", name!, "reset", ...words);
  }
  for (const name of files(server)) {
    if (!before.passing.files.includes(name)) {
      await Deno.remove(join(server.dir, name), { recursive: true });
    }
  }
  // It may have continued the replication stream of another server, and shows that.
  if (nodes.length === 0) await run("DEBUG", "CHANGE-REPL-ID");
  await run("ACL", "LOG", "RESET");
  await run("SLOWLOG", "RESET");
  await run("LATENCY", "RESET");
  await run("CONFIG", "RESETSTAT");
}
