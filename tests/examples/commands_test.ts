import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { listExamples } from "../../dev/examples/list.ts";
import { Tool } from "../cli/tool.ts";
import { startServer, until } from "../servers/mod.ts";
import { COMMAND, runExample } from "./command.ts";
import { watchers } from "./stage.ts";

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
    (await tool.linesUntil("database")).join("\n"),
    "a expired in database 3",
  );
  await tool.type("\x03");
  await tool.ended();
  await until("it is gone", async () => await watchers(server) === 0);
});
