/**
 * Programs as new users write them, with other packages for everything around.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "../runtimes/package.ts";
import { findBun, findNode, findNode24 } from "../runtimes/programs.ts";
import { until } from "../servers/mod.ts";
import { assertEnds, assertWatches, projectOfTests, start, startTalkative } from "./project.ts";

const project = projectOfTests([
  "@types/node@20.19.25",
  "ioredis@6.0.0",
  "pino@10.4.0",
  "redis@6.3.1",
  "typescript@5.7.3",
]);

Deno.test("a reminder in Deno", async () => {
  await using server = await startTalkative();
  const script = fileURLToPath(new URL("deno.ts", import.meta.url));
  const rights = [`--allow-net=${server.host}:${server.port}`, "--allow-env"];
  await using tool = start([Deno.execPath(), "run", "--no-prompt", ...rights, script], ".", server);
  await assertEnds(tool, "reminder:tea is due\n");
});

Deno.test("a log of sessions in Node 20", async () => {
  await using server = await startTalkative();
  await using tool = start([...await findNode(), "node_20.mjs"], project.folder, server);
  assertEquals(JSON.parse((await tool.line())!).msg, "watching");
  await server.command("SET", "session:1", "", "PX", 1);
  const ended = { level: 30, key: "session:1", msg: "a session has ended" };
  assertEquals(JSON.parse((await tool.line())!), ended);
  tool.kill("SIGTERM");
  await assertEnds(tool);
});

Deno.test("TypeScript in Node 24", async () => {
  await using server = await startTalkative();
  await using tool = start([...await findNode24(), "node_24.ts"], project.folder, server);
  await assertEnds(tool, "set del\n");
});

Deno.test("a cache behind HTTP in Bun", async () => {
  await using server = await startTalkative();
  await server.command("SET", "product:1", "lamp");
  await using tool = start([...await findBun(), "bun.mjs"], project.folder, server);
  const url = await tool.line();
  const shown = async () => await (await fetch(`${url}/1`)).text();
  assertEquals(await shown(), "lamp");
  await server.command("SET", "product:1", "chair");
  await until("it shows the new one", async () => await shown() === "chair");
});

const RESOLUTIONS = {
  nodenext: { module: "nodenext", type: "module" },
  bundler: { module: "esnext", type: "module" },
  node10: { module: "commonjs", type: "commonjs" },
};
for (const [moduleResolution, { module, type }] of Object.entries(RESOLUTIONS)) {
  Deno.test(`TypeScript with the module resolution ${moduleResolution}`, async () => {
    const folder = join(project.folder, moduleResolution);
    await Deno.mkdir(folder);
    await Deno.copyFile(join(project.folder, "resolution.ts"), join(folder, "program.ts"));
    await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify({ type }));
    const compiler = join(project.folder, "node_modules", "typescript", "bin", "tsc");
    const options = ["--strict", "--target", "es2022", "--module", module];
    await mustRun("compile", [
      ...[...await findNode(), compiler, "program.ts", ...options],
      ...["--moduleResolution", moduleResolution],
    ], folder);
    await assertWatches([...await findNode(), "program.js"], folder);
  });
}

Deno.test("delayed jobs, ported from ioredis", async () => {
  await using server = await startTalkative();
  await using tool = start([...await findNode(), "from_ioredis.mjs"], project.folder, server);
  assertEquals(await tool.line(), "job:1 is due, number 1");
  tool.kill("SIGTERM");
  await assertEnds(tool);
});

Deno.test("a cache, ported from node-redis", async () => {
  await using server = await startTalkative();
  await using tool = start([...await findNode(), "from_node_redis.mjs"], project.folder, server);
  assertEquals(await tool.line(), "product:1 was cached: true");
  tool.kill("SIGTERM");
  await assertEnds(tool);
});

Deno.test("a listener, ported from redis-py", async () => {
  await using server = await startTalkative();
  await using tool = start([...await findNode(), "from_redis_py.mjs"], project.folder, server);
  assertEquals(await tool.line(), "watching");
  await server.command("SET", "shop:cart:1", "x");
  await server.command("SET", "other:1", "", "PX", 1);
  await server.command("SET", "shop:order:1", "", "PX", 1);
  assertEquals([await tool.line(), await tool.line()], ["cart:1 set", "order:1 expired"]);
});
