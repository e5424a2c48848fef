import { assertEquals, assertMatch } from "@std/assert";
import { checkPortable } from "../../dev/check_portable.ts";
import { readConfig } from "../../dev/project.ts";
import { CONFIG, temporaryTree } from "./tree.ts";

async function check(files: Record<string, string>): Promise<string[]> {
  const { compilerOptions } = await readConfig();
  const config = JSON.stringify({ ...JSON.parse(CONFIG), compilerOptions });
  await using tree = await temporaryTree({ "deno.json": config, ...files });
  const problems = await checkPortable(tree.root);
  return problems.map(({ file, line, reason }) => `${file}:${line}: ${reason}`);
}

const OF_A_RUNTIME = [
  "Deno.pid",
  "process.pid",
  "Buffer.from('')",
  "setImmediate(() => {})",
  "setTimeout(() => {}, 1).unref()",
  "document.title",
  "new Bun.Glob('')",
];

Deno.test("a runtime's global is an error in the layers that run everywhere", async () => {
  const files = ["resp/a.ts", "parse/a.ts", "pubsub/a.ts", "cluster/a.ts", "mod.ts"];
  const text = OF_A_RUNTIME.map((code, i) => `export const it${i}: unknown = ${code};\n`).join("");
  const problems = await check(Object.fromEntries(files.map((file) => [file, text])));
  assertEquals(problems.length, files.length * OF_A_RUNTIME.length, problems.join("\n"));
  for (const file of files) {
    for (const [i, code] of OF_A_RUNTIME.entries()) {
      const problem = problems.find((one) => one.startsWith(`${file}:${i + 1}: `));
      assertMatch(problem ?? "", /Cannot find name|does not exist on type/, `${file}: ${code}`);
    }
  }
});

Deno.test("what every runtime has is none, nor what a transport names", async () => {
  const text = `
import { dial } from "./connection/transports/deno.ts";
export const it: unknown = [dial, new TextDecoder(), setTimeout(() => {}, 1), crypto, fetch,
  new AbortController(), ReadableStream, performance.now(), queueMicrotask];
export const timer: number = setTimeout(() => {}, 1);
`;
  const transport = "export const dial: typeof Deno.connect = Deno.connect;\n";
  assertEquals(
    await check({ "pubsub/a.ts": text, "pubsub/connection/transports/deno.ts": transport }),
    [],
  );
});

Deno.test("other layers are not looked at", async () => {
  const text = "export const it: number = Deno.pid;\n";
  assertEquals(await check({ "cli/a.ts": text, "tests/a.ts": text, "dev/a.ts": text }), []);
});

Deno.test("a declaration without a use is reported", async () => {
  const problems = await check({ "resp/a.ts": "const it = 1;\nexport {};\n" });
  assertEquals(problems, ["resp/a.ts:1: 'it' is declared but its value is never read."]);
});
