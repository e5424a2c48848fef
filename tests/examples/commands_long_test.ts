/** Each example by its one command; what it does is tested without the command in the short suite. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Example, listExamples } from "../../dev/examples/list.ts";
import { PLAYS } from "../../dev/examples/plays.ts";
import type { Finished } from "../servers/run.ts";
import { runExample } from "./command.ts";

/** How many run at once. */
const AT_ONCE = 3;

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
