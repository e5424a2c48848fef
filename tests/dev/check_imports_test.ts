import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { checkImports } from "../../dev/check_imports.ts";
import { LAYERS } from "../../dev/layers.ts";
import { CONFIG, temporaryTree } from "./tree.ts";

const EMPTY = "export {};\n";

/** The problems of a project that has these files, as the script prints them. */
async function check(files: Record<string, string>): Promise<string[]> {
  await using tree = await temporaryTree({ "deno.json": CONFIG, ...files });
  const problems = await checkImports(tree.root);
  return problems.map(({ file, line, reason }) => `${file}:${line}: ${reason}`);
}

const RIGHT_IMPORTS: [from: string, to: string][] = [
  ["resp/decoder.ts", "resp/errors.ts"],
  ["resp/decoder.ts", "bytes/text.ts"],
  ["parse/channel.ts", "bytes/text.ts"],
  ["pubsub/subscription_registry.ts", "bytes/byte_map.ts"],
  ["cluster/migration/filter.ts", "bytes/text.ts"],
  ["parse/channel.ts", "parse/glob.ts"],
  ["pubsub/connection/connection.ts", "resp/mod.ts"],
  ["pubsub/subscriber.ts", "parse/mod.ts"],
  ["pubsub/subscriber.ts", "pubsub/connection/connection.ts"],
  ["pubsub/connection/connection.ts", "pubsub/connection/transports/deno.ts"],
  ["pubsub/connection/transports/deno.ts", "pubsub/connection/transport.ts"],
  ["cluster/notifications.ts", "pubsub/mod.ts"],
  ["cluster/notifications.ts", "cluster/discovery/mod.ts"],
  ["cluster/notifications.ts", "cluster/migration/filter.ts"],
  ["cluster/migration/filter.ts", "cluster/discovery/slot.ts"],
  ["cluster/discovery/discover_topology.ts", "resp/mod.ts"],
  ["mod.ts", "cluster/mod.ts"],
  ["cli/watch.ts", "mod.ts"],
  ["cli/watch.ts", "pubsub/mod.ts"],
  ["examples/expired.ts", "mod.ts"],
  ["examples/expired.ts", "examples/redis.ts"],
  ["examples/expired.ts", "cluster/discovery/mod.ts"],
  ["examples/discover_sockets.ts", "resp/mod.ts"],
  ["dev/demo/main.ts", "tests/servers/mod.ts"],
  ["tests/resp/decoder_test.ts", "resp/mod.ts"],
  ["bench/parse.ts", "tests/servers/mod.ts"],
];

const WRONG_IMPORTS: [from: string, to: string][] = [
  ["bytes/text.ts", "resp/mod.ts"],
  ["bytes/text.ts", "parse/mod.ts"],
  ["resp/decoder.ts", "parse/mod.ts"],
  ["resp/decoder.ts", "pubsub/mod.ts"],
  ["parse/channel.ts", "resp/mod.ts"],
  ["parse/channel.ts", "mod.ts"],
  ["pubsub/connection/connection.ts", "pubsub/subscription_registry.ts"],
  ["pubsub/connection/transports/deno.ts", "pubsub/subscription_registry.ts"],
  ["pubsub/connection/connection.ts", "cluster/mod.ts"],
  ["pubsub/connection/connection.ts", "mod.ts"],
  ["pubsub/connection/transports/deno.ts", "cluster/mod.ts"],
  ["cluster/notifications.ts", "mod.ts"],
  ["cluster/migration/filter.ts", "cluster/notifications.ts"],
  ["cluster/migration/filter.ts", "pubsub/mod.ts"],
  ["cluster/discovery/topology.ts", "cluster/migration/filter.ts"],
  ["cluster/discovery/topology.ts", "cluster/notifications.ts"],
  ["cluster/discovery/topology.ts", "pubsub/mod.ts"],
  ["cluster/notifications.ts", "cli/mod.ts"],
  ["mod.ts", "cli/mod.ts"],
  ["cli/watch.ts", "cluster/migration/filter.ts"],
  ["cli/watch.ts", "tests/servers/mod.ts"],
  ["pubsub/connection/connection.ts", "tests/servers/mod.ts"],
  ["examples/expired.ts", "pubsub/mod.ts"],
  ["examples/expired.ts", "cluster/mod.ts"],
  ["examples/expired.ts", "tests/servers/mod.ts"],
  ["mod.ts", "dev/check.ts"],
  ["resp/decoder.ts", "bench/parse.ts"],
];

function relativeTo(from: string, to: string): string {
  const up = "../".repeat(from.split("/").length - 1);
  return (up || "./") + to;
}

Deno.test("imports along the layers pass", async (t) => {
  for (const [from, to] of RIGHT_IMPORTS) {
    await t.step(`${from} -> ${to}`, async () => {
      const text = `import * as it from "${relativeTo(from, to)}";\nvoid it;\n`;
      assertEquals(await check({ [to]: EMPTY, [from]: text }), []);
    });
  }
});

Deno.test("imports against the layers fail, with file, line and reason", async (t) => {
  for (const [from, to] of WRONG_IMPORTS) {
    await t.step(`${from} -> ${to}`, async () => {
      const text = `// first line\nimport * as it from "${relativeTo(from, to)}";\nvoid it;\n`;
      const problems = await check({ [to]: EMPTY, [from]: text });
      assertEquals(problems.length, 1, problems.join("\n"));
      assertStringIncludes(problems[0]!, `${from}:2: imports ${to}; `);
    });
  }
});

Deno.test("every form of import is seen", async (t) => {
  const forms = [
    `import "../parse/mod.ts";`,
    `import type { A } from "../parse/mod.ts";`,
    `export * from "../parse/mod.ts";`,
    `export type { A } from "../parse/mod.ts";`,
    `export type A = import("../parse/mod.ts").A;`,
    `export const a = await import("../parse/mod.ts");`,
    "export const a = await import(`../parse/mod.ts`);",
    `/// <reference path="../parse/mod.ts" />`,
    `import "@keywatch/keywatch/parse";`,
  ];
  for (const form of forms) {
    await t.step(form, async () => {
      const problems = await check({ "parse/mod.ts": EMPTY, "resp/mod.ts": `${form}\n` });
      assertEquals(problems, [
        "resp/mod.ts:1: imports parse/mod.ts; resp/ may import only resp/, bytes/",
      ]);
    });
  }
});

Deno.test("published code imports nothing from outside the project", async (t) => {
  const outside = ["npm:redis@6", "jsr:@std/async@1", "@std/assert", "https://x.test/a.ts"];
  for (const specifier of [...outside, "../../../../elsewhere.ts"]) {
    for (
      const file of ["parse/a.ts", "pubsub/a.ts", "pubsub/connection/transports/a.ts", "cli/a.ts"]
    ) {
      await t.step(`${file} -> ${specifier}`, async () => {
        assertEquals(await check({ [file]: `import "${specifier}";\n` }), [
          `${file}:1: imports ${specifier}, which is not part of this project`,
        ]);
      });
    }
  }
  await t.step("what cannot be checked", async () => {
    const problems = await check({ "pubsub/a.ts": "const x = './b.ts';\nawait import(x);\n" });
    assertStringIncludes(problems.join(), "pubsub/a.ts:2: imports what is not a plain string");
  });
});

const IMPORTS_OF_A_RUNTIME = ["await import('node:net');", "await import('cloudflare:sockets');"];
const NAMES_A_RUNTIME = [
  "Deno.exit();",
  "new Bun.Glob('*');",
  "process.exit();",
  "globalThis.Deno;",
  "globalThis['process'];",
  "if ('Bun' in globalThis) throw 0;",
  "typeof Deno;",
  "export type C = Deno.Conn;",
  ...IMPORTS_OF_A_RUNTIME,
  "const module = 'node:tls'; void module;",
  "const module = `node:${'net'}`; void module;",
];

Deno.test("only transports, and what is not the library, name a runtime", async (t) => {
  for (const code of NAMES_A_RUNTIME) {
    await t.step(code, async () => {
      for (const file of ["resp/a.ts", "parse/a.ts", "pubsub/a.ts", "cluster/a.ts", "mod.ts"]) {
        const problems = await check({ [file]: `// line\n${code}\n` });
        assertStringIncludes(problems.join("\n"), `${file}:2: names `);
      }
      for (
        const file of [
          ...(IMPORTS_OF_A_RUNTIME.includes(code) ? [] : ["pubsub/connection/transports/a.ts"]),
          "cli/a.ts",
          "examples/discover_sockets.ts",
          "tests/a.ts",
          "bench/a.ts",
        ]
      ) {
        assertEquals(await check({ [file]: `${code}\n` }), []);
      }
    });
  }
});

Deno.test("transports load modules of a runtime where no bundler resolves them", async (t) => {
  for (const code of IMPORTS_OF_A_RUNTIME) {
    await t.step(code, async () => {
      const problems = await check({ "pubsub/connection/transports/a.ts": `${code}\n` });
      assertStringIncludes(problems.join("\n"), "which bundlers would resolve; use loadModule");
    });
  }
  const loader = "export const load = (name: string) => import(name);\n";
  assertEquals(await check({ "pubsub/connection/transports/load_module.ts": loader }), []);
});

Deno.test("an example imports what all runtimes and npm have, and names no runtime", async (t) => {
  const right = ["import 'node:http';", "import 'npm:redis@6';", "import '@keywatch/keywatch';"];
  for (const code of right) {
    await t.step(code, async () => {
      assertEquals(await check({ "mod.ts": EMPTY, "examples/a/b.ts": `${code}\n` }), []);
    });
  }
  const runtimes = NAMES_A_RUNTIME.filter((code) => !code.includes("node:"));
  const wrong = [...runtimes, "import 'cloudflare:workers';", "import 'bun';"];
  for (const code of wrong) {
    await t.step(code, async () => {
      const problems = await check({ "examples/a.ts": `// line\n${code}\n` });
      assertStringIncludes(problems.join("\n"), "examples/a.ts:2: names ");
    });
  }
  for (const specifier of ["jsr:@std/async@1", "https://x.test/a.ts"]) {
    await t.step(specifier, async () => {
      assertEquals(await check({ "examples/a.ts": `import "${specifier}";\n` }), [
        `examples/a.ts:1: imports ${specifier}, which is not part of this project`,
      ]);
    });
  }
});

Deno.test("a runtime that prose mentions is ignored", async () => {
  const text = `
/**
 * Runs in Deno, Bun and any process; see node:net.
 * {@linkcode Deno.connect}
 */
// process.exit(), Deno.exit(), import "node:net"
export const message: string = "Give Deno --allow-net, or use node:net in this process";
export const more: string = \`node: \${message} Bun\`;
export const processed = 1, denoted = /Deno/, processes = 2;
`;
  assertEquals(await check({ "pubsub/a.ts": text }), []);
});

Deno.test("types of a runtime cannot be brought in by a reference", async () => {
  const problems = await check({ "resp/a.ts": `/// <reference lib="deno.ns" />\nexport {};\n` });
  assertEquals(problems.length, 1);
  assertStringIncludes(problems[0]!, "resp/a.ts:1: names deno.ns");
});

Deno.test("a cycle is shown whole; a diamond is none", async () => {
  const diamond = {
    "resp/a.ts": `import "./b.ts";\nimport "./c.ts";\n`,
    "resp/b.ts": `import "./d.ts";\n`,
    "resp/c.ts": `import "./d.ts";\n`,
    "resp/d.ts": EMPTY,
  };
  assertEquals(await check(diamond), []);
  assertEquals(await check({ ...diamond, "resp/d.ts": `\nimport type {} from "./a.ts";\n` }), [
    "resp/a.ts:1: is part of a cycle: resp/a.ts -> resp/b.ts -> resp/d.ts -> resp/a.ts",
  ]);
  assertEquals(await check({ "tests/a.ts": `import "./a.ts";\n` }), [
    "tests/a.ts:1: is part of a cycle: tests/a.ts -> tests/a.ts",
  ]);
});

Deno.test("the table in docs/architecture.md has the same layers and imports", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/architecture.md", import.meta.url));
  const table = page.slice(page.indexOf("## Layers"), page.indexOf("## Where to add what"));
  const written: [path: string, imports: string][] = [];
  for (const [, layers, imports] of table.matchAll(/^\| (`.*?) \| .* \| (.*?) *\|$/gm)) {
    for (const path of pathsIn(layers!)) written.push([path, pathsIn(imports!).join() || imports!]);
  }
  const checked = LAYERS.map(({ path, imports }) => [
    path,
    imports === undefined ? "anything" : imports.toSorted().join() || "nothing",
  ]);
  assertEquals(written.sort(), checked.sort());
});

function pathsIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+(?:\/|\.ts))`/g)].map(([, path]) => path!).sort();
}

Deno.test("a file outside every layer is reported", async () => {
  assertEquals(await check({ "util/a.ts": EMPTY }), [
    "util/a.ts:1: belongs to no layer that this check knows; add the layer to it",
  ]);
});

Deno.test("the script ends with 1 and says where, or with 0 and says nothing", async () => {
  const script = fileURLToPath(new URL("../../dev/check_imports.ts", import.meta.url));
  for (const [text, code] of [[EMPTY, 0], [`import "../mod.ts";\n`, 1]] as const) {
    await using tree = await temporaryTree({ "deno.json": CONFIG, "resp/a.ts": text });
    const result = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-all", script, tree.root],
      stdin: "null",
    }).output();
    assertEquals(result.code, code);
    const printed = new TextDecoder().decode(result.stderr);
    const expected = "resp/a.ts:1: imports mod.ts; resp/ may import only resp/, bytes/\n";
    assertEquals(printed, code === 0 ? "" : expected);
  }
});
