/** What one sees on a terminal, and what the keys do there. Results and notes come mixed. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startServer } from "../servers/mod.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** Runs `watch` on a terminal and gives the first line it prints for `SET k`. */
async function lineOnTerminal(env: Record<string, string>): Promise<string> {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["watch", "--url", server.url], { env });
  await tool.linesUntil("watching *");
  await server.command("SET", "k", "x");
  return (await tool.line())!.trimEnd();
}

Deno.test("on a terminal each class of events has its colour", async () => {
  const line = await lineOnTerminal({ NO_COLOR: "" });
  assertEquals(line.split(" db0 ")[1], "\x1b[39m \x1b[32mset         \x1b[39m  k");
});

Deno.test("NO_COLOR turns the colours off", async () => {
  assertMatch(await lineOnTerminal({ NO_COLOR: "1" }), /^[\d:.]{12} {2}db0 {2}set {11}k$/);
});

Deno.test("on a terminal a gap stands where it belongs, and shows", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["watch", "--url", server.url], { env: { NO_COLOR: "" } });
  await tool.linesUntil("watching *");
  await server.command("SET", "before", "x");
  await tool.linesUntil("before");
  await server.restart();
  const gap = (await tool.linesUntil("gap: ")).at(-1)!;
  assertEquals([gap.slice(0, 10), gap.slice(-6)], ["\x1b[33mgap: ", "\x1b[39m\r"]);
  await server.command("SET", "after", "x");
  assertMatch((await tool.line())!, /after\r$/);
});

Deno.test("Ctrl-C ends it", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["watch", "--url", server.url]);
  await tool.linesUntil("watching *");
  await tool.type("\x03");
  assertEquals((await tool.ended()).code, 0);
});

Deno.test("text is as wide as the terminal", async () => {
  for (const [columns, longest] of [[60, 59], [120, 79]] as const) {
    const program = ["sh", "-c", `stty cols ${columns}; exec "$0" "$@"`, Deno.execPath()];
    const args = ["run", "--no-prompt", "cli/mod.ts", "watch", "--help"];
    await using tool = Tool.runOnTerminal(args, { program });
    const lines = (await tool.rest()).split(/\r?\n/).filter((line) => !/^ {2}keywatch /.test(line));
    const widest = Math.max(...lines.map((line) => line.length));
    assert(widest <= longest && widest > longest - 12, `${columns}: ${widest}`);
  }
});
