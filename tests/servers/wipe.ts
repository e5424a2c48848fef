import { join } from "node:path";
import type { TestServer } from "./server.ts";

/** The part of a server's state that tests may change. */
interface State {
  config: Record<string, string>;
  users: string[];
  functions: unknown;
  info: string[];
  nodes: string[];
  health: string | null;
  migrations: unknown[];
  clients: number;
  /** What lies in its folder. */
  files: string[];
}

/** Fields of `INFO` that are the same on every new server. */
const FIELDS =
  /^(?:role|connected_slaves|master_link_status|master_replid2|number_of_cached_scripts|db\d+|pubsub_|blocked_|tracking_clients|loading)/;

async function config(server: TestServer): Promise<Record<string, string>> {
  const reply = await server.command("CONFIG", "GET", "*") as string[];
  return Object.fromEntries(reply.flatMap((name, i) => i % 2 === 0 ? [[name, reply[i + 1]!]] : []));
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

/** Who is in the cluster and owns what, as this node sees it; nothing outside a cluster. */
async function nodes(server: TestServer): Promise<string[]> {
  const text = await server.command("CLUSTER", "NODES").catch(() => "") as string;
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [id, , flags, primary, , , epoch, link, ...slots] = line.split(" ");
    return [id, flags, primary, epoch, link, ...slots].join(" ");
  }).sort();
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
export async function stateOf(server: TestServer): Promise<string> {
  const info = await server.command("INFO") as string;
  const state: State = {
    config: await config(server),
    // Only a user who was reset shows this default.
    users: (await server.command("ACL", "LIST") as string[])
      .map((rule) => rule.replace(" sanitize-payload", "")).sort(),
    functions: await server.command("FUNCTION", "LIST").catch(() => null),
    info: info.split("\r\n").filter((line) => FIELDS.test(line)),
    nodes: await nodes(server),
    health: await health(server),
    migrations: await migrations(server),
    clients: await clients(server),
    files: files(server),
  };
  return JSON.stringify(state);
}

/**
 * Undoes what tests do to a server: ends its clients, and puts data, scripts, users, configuration
 * and role back.
 *
 * @param before what {@linkcode stateOf} said of it when it was new
 */
export async function wipe(server: TestServer, before: string): Promise<void> {
  const { config: old, users, nodes, files: kept } = JSON.parse(before) as State;
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
    if (!kept.includes(name)) await Deno.remove(join(server.dir, name), { recursive: true });
  }
  await run("ACL", "LOG", "RESET");
  await run("SLOWLOG", "RESET");
  await run("LATENCY", "RESET");
  await run("CONFIG", "RESETSTAT");
}
