import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun, findEsbuild, findNode } from "../runtimes/programs.ts";
import { run } from "../servers/run.ts";
import { MESSAGES, PUSHES, REPLIES } from "./payloads.ts";
import { PARTS, TEXTS, wrongIn, wrongTexts } from "./table.ts";

for (const part of PARTS) {
  Deno.test(part.name, () => {
    assertEquals(wrongIn(part), []);
  });
}

Deno.test("text of bytes is what TextDecoder makes of them, made or remembered", () => {
  assertEquals(wrongTexts(), []);
});

const ROOM = fileURLToPath(new URL(".", import.meta.url));
const ENTRY = 'import { printAll } from "./table.ts";\nprintAll();\n';

for (const [name, find] of [["Node", findNode], ["Bun", findBun]] as const) {
  Deno.test(`all of this holds in ${name} too`, async () => {
    const [esbuild, program] = [await findEsbuild(), await find()];
    const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
    try {
      const file = join(folder, "table.mjs");
      const entry = join(folder, "entry.ts");
      await Deno.writeTextFile(entry, ENTRY.replace("./", ROOM));
      const bundle = [...esbuild, entry, "--bundle", "--format=esm", `--outfile=${file}`] as const;
      const bundled = await run([...bundle]);
      assertEquals(bundled.code, 0, bundled.output);
      const { code, stdout, output } = await run([...program, file]);
      assertEquals(code, 0, output);
      const counted = 2 * REPLIES.length + PUSHES.length + MESSAGES.length + TEXTS;
      assertEquals(JSON.parse(stdout), { counted, wrong: [] });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
