import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { type Example, listExamples } from "../../dev/examples/list.ts";
import { PLAYS } from "../../dev/examples/plays.ts";
import { ROOT } from "../../dev/project.ts";
import { Tool } from "../cli/tool.ts";
import { type Finished, run } from "../servers/run.ts";
import { startServer, until } from "../servers/mod.ts";
import { watchers } from "./stage.ts";

const COMMAND = [Deno.execPath(), "run", "--allow-all", join(ROOT, "dev/examples/main.ts")];

/** How many run at once. */
const AT_ONCE = 3;

async function runExample(...args: string[]): Promise<Finished> {
  return await run([...COMMAND, ...args], { env: { NO_COLOR: "1", REDIS_URL: "" } });
}

Deno.test("each example shows by its one command what it must", async (t) => {
  const examples = await listExamples();
  assertEquals(examples.map(({ name }) => name), Object.keys(PLAYS).sort());
  const waiting: Example[] = examples.filter(({ name }) => !PLAYS[name]!.live);
  const ended = new Map<string, Finished>();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) {
      ended.set(one.name, await runExample(one.name));
    }
  }));
  for (const [name, { code, stdout, output }] of ended) {
    await t.step(name, () => {
      assertEquals(code, 0, output);
      for (const words of PLAYS[name]!.shows) assertStringIncludes(stdout, words);
      assertEquals(output, stdout, "it has nothing to complain of");
    });
  }
});

Deno.test("one that is looked at in a browser goes on until Ctrl-C, and leaves nothing", async () => {
  await using tool = Tool.runOnTerminal(["dashboard"], { program: COMMAND });
  const url = /http:\S+/.exec((await tool.linesUntil("http://")).at(-1)!)![0];
  const page = await (await fetch(url)).text();
  assertStringIncludes(page, "<h1>Keywatch</h1>");
  await tool.type("\x03");
  const { code } = await tool.ended();
  assertEquals(code, 0);
  await assertRejects(() => fetch(url));
});

Deno.test("each example says in one sentence what it does", async () => {
  const examples = await listExamples();
  for (const { name, title } of examples) assert(title.length > 15, `${name}: ${title}`);
  const { code, stdout } = await runExample();
  assertEquals(code, 0);
  for (const { name, title } of examples) {
    assertStringIncludes(stdout, `${name.padEnd(20)}${title}`);
  }
  const wrong = await runExample("no_such");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.output, "There is no example no_such");
});

Deno.test("one that is interrupted is not blamed for what it has not shown", async () => {
  await using tool = Tool.run(["lock_monitor"], { program: COMMAND });
  await tool.linesUntil("lock:report taken");
  tool.kill("SIGINT");
  assertEquals((await tool.ended()).stderr, "");
});

Deno.test("with $REDIS_URL an example watches that server until it is interrupted", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "Ex" } });
  await using tool = Tool.runOnTerminal(["expired"], {
    program: COMMAND,
    env: { REDIS_URL: `${server.url}/3` },
  });
  await until("it watches", async () => await watchers(server) === 1);
  await using client = await server.client();
  await client.command("SELECT", 3);
  await client.command("SET", "a", "", "PX", 1);
  assertStringIncludes(
    (await tool.linesUntil("expired")).join("\n"),
    "a has expired in database 3",
  );
  await tool.type("\x03");
  await tool.ended();
  await until("it is gone", async () => await watchers(server) === 0);
});
