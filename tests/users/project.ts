import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tool } from "../cli/tool.ts";
import { copy, installPackage } from "../runtimes/package.ts";
import { packedPackage } from "../runtimes/packed.ts";
import type { Program } from "../runtimes/programs.ts";
import { startServer, type TestServer } from "../servers/mod.ts";

/** Where the programs are that import the package by its name on npm. */
const PROGRAMS = fileURLToPath(new URL("npm/", import.meta.url));

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
    await copy(PROGRAMS, project.folder, () => true);
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
export function start(program: Program, folder: string, server: TestServer): Tool {
  return Tool.run([], { program, cwd: folder, env: { REDIS_URL: server.url, NO_COLOR: "1" } });
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

/** The first that a stream of server-sent events brings, once it says that it watches. */
export async function assertStreams(url: string, server: TestServer): Promise<void> {
  const over = new AbortController();
  const response = await fetch(url, { signal: over.signal });
  assertMatch(response.headers.get("content-type")!, /^text\/event-stream/);
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text === ": watching\n\n") await server.command("SET", "user:1", "x");
    if (text.endsWith("user:1\n\n")) break;
  }
  over.abort();
  assertEquals(text, ": watching\n\nevent: set\ndata: user:1\n\n");
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
