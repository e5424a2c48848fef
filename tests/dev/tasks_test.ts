import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { ROOT } from "../../dev/project.ts";
import { run } from "../servers/run.ts";

async function tasks(): Promise<Record<string, { description?: string; command: string }>> {
  return JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))).tasks;
}

Deno.test("each task says what it does", async () => {
  for (const [name, { description }] of Object.entries(await tasks())) {
    assert(description !== undefined && description.length > 15, name);
  }
});

Deno.test("the task watch may do what keywatch watch may", async () => {
  const { keywatch, watch } = await tasks();
  assertEquals(watch!.command, `${keywatch!.command} watch`);
  const { code, output } = await run([Deno.execPath(), "task", "-q", "watch"], {
    cwd: ROOT,
    env: { NO_COLOR: "1", REDIS_URL: "redis://127.0.0.1:1" },
  });
  assertEquals(code, 1);
  assertStringIncludes(output, "Cannot connect to 127.0.0.1:1");
});
