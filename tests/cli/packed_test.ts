/** The tool in the package as npm installs it, in the runtimes that cannot tell what was run. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { run } from "../servers/run.ts";
import { startServer } from "../servers/mod.ts";
import { makeApplication } from "../runtimes/package.ts";
import { findBun, findNode } from "../runtimes/programs.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const TOOL = join("node_modules", "@keywatch", "keywatch", "cli", "bin.js");

let folder: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  await makeApplication(folder);
});

Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
});

for (const [name, find] of [["Node", findNode], ["Bun", findBun]] as const) {
  Deno.test(`the packed tool watches in ${name}, also for a slow reader`, async () => {
    await using server = await startServer(TALKATIVE);
    const program = [...await find(), TOOL];
    await using tool = Tool.run(["watch", "--url", server.url], { program, cwd: folder });
    await tool.noted("watching *");
    await server.command("SET", "k", "x");
    assertMatch((await tool.line())!, /db0 {2}set {11}k$/);
    await server.command("SET", "k".repeat(1_000_000), "x");
    await server.command("SET", "k", "x");
    tool.kill("SIGINT");
    assertEquals(await tool.exited(), 0);
  });

  Deno.test(`the packed tool fails in words in ${name}`, async () => {
    const program = [...await find(), TOOL];
    await using tool = Tool.run(["wach"], { program, cwd: folder });
    const { code, stderr } = await tool.ended();
    assertEquals([code, stderr.split("\n")[0]], [2, 'keywatch: there is no command "wach"']);
  });

  Deno.test(`to import the packed tool in ${name} is not to run it`, async () => {
    const script = "import { main } from '@keywatch/keywatch/cli'; console.log(typeof main)";
    const [program, ...args] = await find();
    await Deno.writeTextFile(join(folder, "import.mjs"), script);
    const { code, output } = await run([program, ...args, "import.mjs", "wach"], { cwd: folder });
    assertEquals([code, output], [0, "function\n"]);
  });
}
