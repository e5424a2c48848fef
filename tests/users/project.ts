import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tool } from "../cli/tool.ts";
import { copy, installPackage } from "../runtimes/package.ts";
import { packedPackage } from "../runtimes/packed.ts";
import type { Program } from "../runtimes/programs.ts";
import { startServer, type TestServer, until, within } from "../servers/mod.ts";

/** Where the programs are that import the package by its name on npm. */
const PROGRAMS = ["npm/", "../../examples/frameworks/"]
  .map((folder) => fileURLToPath(new URL(folder, import.meta.url)));

/**
 * Has a project made before the tests of a file, and removed after them: the programs, the package as
 * npm gets it, and other packages.
 *
 * @param packages from npm, as `name@version`
 * @returns the project, once the tests run
 */
export function projectOfTests(packages: readonly string[]): { readonly folder: string } {
  const project = { folder: "" };
  Deno.test.beforeAll(async () => {
    project.folder = await Deno.makeTempDir({ prefix: "keywatch-" });
    await installPackage(project.folder, await packedPackage(), packages);
    for (const folder of PROGRAMS) await copy(folder, project.folder, () => true);
  });
  Deno.test.afterAll(async () => {
    await Deno.remove(project.folder, { recursive: true });
  });
  return project;
}

/** A server whose notifications are on. */
export function startTalkative(): Promise<TestServer> {
  return startServer({ config: { "notify-keyspace-events": "KEA" } });
}

/** Runs a program that watches the server. */
export function start(
  program: Program,
  folder: string,
  server: TestServer,
  more: Record<string, string> = {},
): Tool {
  const env = { REDIS_URL: server.url, NO_COLOR: "1", ...more };
  return Tool.run([], { program, cwd: folder, env });
}

/** Checks that the program ends without an error, and prints no more than that. */
export async function assertEnds(tool: Tool, lines = ""): Promise<void> {
  assertEquals(await tool.rest(), lines);
  assertEquals([await tool.exited(), tool.notes], [0, ""]);
}

/** Runs a program that watches `user:*`, prints the first event, and ends. */
export async function assertWatches(program: Program, folder: string): Promise<void> {
  await using server = await startTalkative();
  await using tool = start(program, folder, server);
  assertEquals(await tool.line(), "watching", tool.notes);
  await server.command("SET", "user:1", "x");
  await assertEnds(tool, "set user:1\n");
}

/** Checks that server-sent events of `user:*` and of gaps come, and that it unsubscribes at the end. */
export async function assertStreams(url: string, server: TestServer): Promise<void> {
  const over = new AbortController();
  const response = await within(fetch(url, { signal: over.signal }), 30_000, "the headers");
  assertMatch(response.headers.get("content-type")!, /^text\/event-stream/);
  let text = "";
  const reading = (async () => {
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) text += part;
  })().catch(() => {});
  await until("an event comes", async () => {
    await server.command("SET", "user:1", "x");
    return /event: set\n(?:id: \d+\n)?data: "?user:1"?\n\n/.test(text);
  });
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("a gap comes", () => /event: gap\n(?:id: \d+\n)?data: "?disconnected/.test(text));
  over.abort();
  await reading;
  const patterns = () => server.command("PUBSUB", "NUMPAT");
  await until("it has unsubscribed", async () => await patterns() === 0);
}

/** The configuration for workerd of a worker in a file, with a socket of the name `http`. */
export async function writeWorkerConfig(
  folder: string,
  worker: string,
  redisUrl: string,
): Promise<string> {
  const file = join(folder, "config.capnp");
  await Deno.writeTextFile(
    file,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["private"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed ${JSON.stringify(worker)})],
  bindings = [(name = "REDIS_URL", text = ${JSON.stringify(redisUrl)})],
  compatibilityDate = "2026-11-01",
);
`,
  );
  return file;
}
