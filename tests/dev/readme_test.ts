import { assertEquals, assertStringIncludes } from "@std/assert";
import { startServer, until } from "../servers/mod.ts";
import { Tool } from "../cli/tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** The server that the README speaks of, in whose place a test puts its own. */
const SERVER = "redis://localhost:6379";

async function readme(): Promise<string> {
  return await Deno.readTextFile(new URL("../../README.md", import.meta.url));
}

Deno.test("the README's example works as printed", async () => {
  const example = /```ts no-run\n(.*?)```/s.exec(await readme())![1]!;
  assertStringIncludes(example, SERVER);
  await using server = await startServer(TALKATIVE);
  // From standard input it runs in the project's folder, where the package's own name leads to it.
  const allowed = `--allow-net=127.0.0.1:${server.port}`;
  const program = [Deno.execPath(), "run", "--no-prompt", allowed, "-"];
  await using script = Tool.run([], { program });
  await script.type(example.replace(SERVER, server.url));
  await script.typeEnd();
  await until("it has subscribed", async () => await server.command("PUBSUB", "NUMPAT") === 1);
  await server.command("SET", "user:1", "x", "PX", 1);
  const lines = [
    await script.line(),
    await script.line(),
    await script.line(),
    await script.line(),
  ];
  const printed = lines.join("\n");
  for (const words of ["set user:1", "expire user:1", "expired user:1", "user:1 has expired"]) {
    assertStringIncludes(printed, words);
  }
  assertEquals(script.notes, "");
});

Deno.test("the README's way to watch works as printed", async () => {
  const npx = `npx -y deno@${Deno.version.deno} `;
  const command = (await readme()).split("\n").find((line) => line.startsWith(`${npx}task watch `));
  await using server = await startServer(TALKATIVE);
  const words = command!.replace(npx, `'${Deno.execPath()}' `).replace(SERVER, server.url);
  await using tool = Tool.runOnTerminal([], { program: ["sh", "-c", words] });
  await tool.linesUntil("watching user:* order:*");
  await server.command("SET", "cart:1", "x");
  await server.command("SET", "order:1", "x");
  assertStringIncludes((await tool.line())!, "order:1");
  await tool.type("\x03");
  await tool.ended();
});
