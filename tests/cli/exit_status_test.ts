/** The exit status of the process; what the CLI says is tested within the process of the tests. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, startServer } from "../servers/mod.ts";
import { Tool } from "./tool.ts";

/** The process ends with this status, prints to one stream only, and no stack trace. */
async function ends(code: number, words: string, ...args: string[]): Promise<void> {
  await using tool = Tool.run(args);
  const results = await tool.rest();
  const { code: status, stderr } = await tool.ended();
  assertEquals([status, `${results}${stderr}`.includes("    at ")], [code, false], stderr);
  assertStringIncludes(`${results}${stderr}`, words);
  assertEquals([results, stderr].filter((text) => text !== "").length, 1, results + stderr);
}

Deno.test("the exit status is 0 when all went well", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await ends(0, "keywatch ", "--version");
  await ends(0, "✓ flags", "doctor", "--url", server.url);
});

Deno.test("the exit status is 1 when something failed", async () => {
  const url = `redis://127.0.0.1:${freePort()}`;
  await ends(1, "check that a server listens there", "watch", "--url", url);
  await ends(1, "check that a server listens there", "top", "--url", url);
  await ends(1, "1 thing is wrong", "doctor", "--url", url);
});

Deno.test("the exit status is 2 when the arguments make no sense", async () => {
  await ends(2, "no command is given");
  await ends(2, "Usage:", "watch", "--no-such-option");
  await ends(2, 'no server knows "q"', "flags", "explain", "KEq");
});
