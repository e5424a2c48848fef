/** The package for npm, installed in an empty project by its own name. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join, posix } from "node:path";
import ts from "npm:typescript@6.0.3";
import { manifest } from "../../dev/npm/manifest.ts";
import { PAGE } from "../../dev/npm/package.ts";
import { readConfig, ROOT } from "../../dev/project.ts";
import { Tool } from "../cli/tool.ts";
import { installPackage } from "../runtimes/package.ts";
import { packedPackage } from "../runtimes/packed.ts";
import { findBun, findDeno, findNode } from "../runtimes/programs.ts";
import { startServer } from "../servers/mod.ts";
import { linksOf } from "./tree.ts";

let folder: string;
let installed: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  await installPackage(folder, await packedPackage());
  installed = join(folder, "node_modules", "keywatch");
});

Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
});

function filesIn(root: string, below = ""): string[] {
  return [...Deno.readDirSync(join(root, below))].flatMap(({ name, isDirectory }) => {
    const path = below ? `${below}/${name}` : name;
    return isDirectory ? filesIn(root, path) : [path];
  }).sort();
}

Deno.test("the package for npm says what it is", async () => {
  const about = JSON.parse(await Deno.readTextFile(join(installed, "package.json")));
  const { name, version, license, type, main, types, engines, sideEffects, bin, publishConfig } =
    about;
  const config = await readConfig();
  assertEquals(
    { name, version, license, type, main, types, engines, sideEffects, bin, publishConfig },
    {
      name: "keywatch",
      version: config.version,
      license: "MIT",
      type: "module",
      main: "./mod.js",
      types: "./mod.d.ts",
      engines: { node: ">=20" },
      sideEffects: false,
      bin: { keywatch: "cli/bin.js" },
      publishConfig: { access: "public" },
    },
  );
  assertEquals(Object.keys(about.exports), [...Object.keys(config.exports), "./package.json"]);
  assert(about.keywords.length > 5 && about.description.length > 20);
  for (
    const key of ["repository", "homepage", "bugs", "dependencies", "devDependencies", "scripts"]
  ) {
    assertEquals(about[key], undefined, key);
  }
});

Deno.test("the package for npm says where it is from, and where its page is if that is known", async () => {
  const config = await readConfig();
  const origin = (url: string) => {
    const { repository, homepage, bugs } = manifest(config, url);
    return { repository, homepage, bugs };
  };
  for (const url of ["git+https://a.test/b.git", "https://a.test/b", "https://a.test/b/"]) {
    assertEquals(origin(url), {
      repository: { type: "git", url },
      homepage: "https://a.test/b#readme",
      bugs: { url: "https://a.test/b/issues" },
    });
  }
  const url = "git+ssh://git@a.test/b.git";
  const none = { homepage: undefined, bugs: undefined };
  assertEquals(origin(url), { repository: { type: "git", url }, ...none });
});

Deno.test("the package for npm contains what its entries and the CLI need, and nothing else", async () => {
  const files = filesIn(installed);
  const places = new Set(files.map((file) => file.split("/")[0]));
  const rooms = ["bytes", "cli", "cluster", "events", "parse", "pubsub", "resp"];
  const documents = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"];
  const entry = ["mod.d.ts", "mod.d.ts.map", "mod.js", "mod.js.map"];
  const others = ["docs", "package.json", "src"];
  assertEquals([...places], [...documents, ...rooms, ...entry, ...others].sort());
  for (const file of files.filter((name) => /\.(?:js|d\.ts)$/.test(name))) {
    const text = await Deno.readTextFile(join(installed, file));
    for (const [, name] of text.matchAll(/(?:from|import\() ?"(\.[^"]*)"/g)) {
      const module = posix.join(posix.dirname(file), name!);
      const needed = file.endsWith(".js") ? module : module.replace(/\.js$/, ".d.ts");
      assert(files.includes(needed), `${file} needs ${needed}`);
    }
    assertEquals(/"@keywatch\/[^"]*"/.exec(text)?.[0], undefined, file);
  }
});

Deno.test("the documents in the package for npm say what they say here, and link to what is there", async () => {
  const files = filesIn(installed);
  const imported = /\bfrom "@keywatch\/keywatch(?=["/])/g;
  for (const file of files.filter((name) => name.endsWith(".md"))) {
    const original = await Deno.readTextFile(join(ROOT, file));
    const text = await Deno.readTextFile(join(installed, file));
    const said = (text: string) => text.replaceAll(/\[([^\][]+)\]\([^)\s]+\)/g, "$1");
    assertEquals(said(text), said(original).replaceAll(imported, `from "keywatch`));
    assertEquals(linksOf(file, text).filter((path) => !files.includes(path)), [], file);
  }
  // No link of the page that users see first leads out of the package.
  const text = await Deno.readTextFile(join(installed, "README.md"));
  const original = await Deno.readTextFile(join(ROOT, "README.md"));
  assertEquals(linksOf("README.md", text), linksOf("README.md", original));
});

/** Reads lines of `map line column`, and writes the place in the source of each. */
const FIND_SOURCES = `
const { readFileSync } = require("node:fs");
const { SourceMap } = require("node:module");
const places = readFileSync(0, "utf8").trim().split("\\n").map((text) => text.split(" "));
console.log(JSON.stringify(places.map(([map, line, column]) => {
  const entry = new SourceMap(JSON.parse(readFileSync(map, "utf8"))).findEntry(+line, +column);
  return { source: entry.originalSource, line: entry.originalLine, column: entry.originalColumn };
})));
`;

Deno.test("source maps and declaration maps lead to the sources in the package for npm", async () => {
  const files = filesIn(installed);
  const declared = /^export (?:declare )?(?:async )?(?:class|function|const|interface) (\w+)/gm;
  const places: { file: string; name: string; line: number; column: number }[] = [];
  for (const file of files.filter((name) => !name.startsWith("src/"))) {
    // A page is served as it was written.
    if (!/\.(?:js|d\.ts)$/.test(file) || file.startsWith(PAGE)) continue;
    const text = await Deno.readTextFile(join(installed, file));
    assertEquals(text.split("\n").at(-1), `//# sourceMappingURL=${posix.basename(file)}.map`);
    for (const { 0: words, 1: name, index } of text.matchAll(declared)) {
      const line = text.slice(0, index).split("\n").length - 1;
      places.push({ file, name: name!, line, column: words.length - name!.length });
    }
  }
  assert(places.length > 300, String(places.length));
  const child = new Deno.Command((await findNode())[0], {
    args: ["--eval", FIND_SOURCES],
    cwd: installed,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = places.map(({ file, line, column }) => `${file}.map ${line} ${column}\n`);
  await new Blob(input).stream().pipeTo(child.stdin);
  const { stdout } = await child.output();
  const found: { source: string; line: number; column: number }[] = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  for (const [i, { file, name }] of places.entries()) {
    const { source, line, column } = found[i]!;
    const path = posix.join(posix.dirname(file), source);
    const text = (await Deno.readTextFile(join(installed, path))).split("\n")[line]!;
    assertEquals(text.slice(column, column + name.length), name, `${file}: ${name}`);
  }
});

const USER = `
import { connect, type KeyNotification } from "keywatch";
import { Decoder, type Reply } from "keywatch/resp";
import { KeyeventChannel } from "keywatch/parse";
import { EventType, requiredFlags } from "keywatch/events";
import { KeyspaceNotifications } from "keywatch/pubsub";
import { hashSlot } from "keywatch/cluster";
import { discoverTopology } from "keywatch/discovery";
import { main } from "keywatch/cli";

const channel: KeyeventChannel = new KeyeventChannel(EventType.EXPIRED, { db: 3 });
export const expired: "expired" = EventType.EXPIRED;
export const letters: string = requiredFlags(channel);
export const slot: number = hashSlot("a");
export const status: Promise<number> = main(["--help"]);
export const decoder: Decoder = new Decoder({ reply: (reply: Reply) => void reply, push: () => {} });

export async function read(): Promise<KeyNotification | null> {
  const one: KeyspaceNotifications = await KeyspaceNotifications.connect("redis://localhost");
  await one[Symbol.asyncDispose]();
  const notifications = await connect("redis://localhost");
  await notifications.subscribe(channel, { handler: ({ key }) => void key.length });
  for await (const { key } of notifications) if (key.length > 3) break;
  // @ts-expect-error What these are is known.
  notifications.nonsense;
  // @ts-expect-error
  new KeyeventChannel(5);
  // @ts-expect-error
  EventType.ZINCRBY;
  return await notifications.getMessage({ timeout: 5 });
}
`;

/** TypeScript's own libraries, parsed once: to read them takes longer than to check the package. */
const libraries = new Map<string, ts.SourceFile | undefined>();

function compilerHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const folder = host.getDefaultLibLocation!();
  const { getSourceFile } = host;
  host.getSourceFile = (file, ...rest) => {
    if (posix.dirname(file) !== folder) return getSourceFile(file, ...rest);
    if (!libraries.has(file)) libraries.set(file, getSourceFile(file, ...rest));
    return libraries.get(file);
  };
  return host;
}

const RESOLUTIONS = [
  [ts.ModuleResolutionKind.NodeNext, ts.ModuleKind.NodeNext],
  [ts.ModuleResolutionKind.Bundler, ts.ModuleKind.ESNext],
  [ts.ModuleResolutionKind.Node10, ts.ModuleKind.ESNext],
] as const;

for (const [moduleResolution, module] of RESOLUTIONS) {
  for (const lib of ["dom", "webworker"]) {
    const name = ts.ModuleResolutionKind[moduleResolution];
    Deno.test(`the types hold by ${name} with ${lib}`, async () => {
      const project = join(folder, `${name}-${lib}`);
      const file = join(project, "user.ts");
      await Deno.mkdir(project);
      await Deno.writeTextFile(join(project, "package.json"), '{ "type": "module" }');
      await Deno.writeTextFile(file, USER);
      const options: ts.CompilerOptions = {
        lib: ["lib.es2022.d.ts", `lib.${lib}.d.ts`],
        target: ts.ScriptTarget.ES2022,
        module,
        moduleResolution,
        // TypeScript 6 calls `node10` old.
        ignoreDeprecations: "6.0",
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        verbatimModuleSyntax: true,
        skipLibCheck: false,
        // What TypeScript itself brings is not checked, all of the package is.
        skipDefaultLibCheck: true,
        types: [],
        noEmit: true,
      };
      const host = compilerHost(options);
      const found = ts.getPreEmitDiagnostics(ts.createProgram([file], options, host));
      assertEquals(ts.formatDiagnostics(found, host), "");
    });
  }
}

const PROGRAM = `
import { connect } from "keywatch";
const notifications = await connect(process.argv[2]);
await notifications.subscribeKeyspace("user:*");
console.log("subscribed");
const { key, eventType } = await notifications.getMessage({ timeout: 20_000 });
console.log(eventType, key);
await notifications.close();
`;

for (const [name, find] of [["Node", findNode], ["Bun", findBun], ["Deno", findDeno]] as const) {
  Deno.test(`the package for npm runs in ${name}`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await Deno.writeTextFile(join(folder, "program.mjs"), PROGRAM);
    const program = [...await find([server.socket]), "program.mjs"];
    await using running = Tool.run([server.url], { program, cwd: folder });
    assertEquals(await running.line(), "subscribed");
    await server.command("SET", "user:1", "x");
    assertEquals(await running.line(), "set user:1");
    assertEquals(await running.ended().then(({ code, stderr }) => [code, stderr]), [0, ""]);
  });
}

const REQUIRING = `
const { connect } = require("keywatch");
const { KeyNotification } = require("keywatch/parse");
const { key } = KeyNotification.tryParse("__keyevent@0__:expired", "session:1");
console.log(typeof connect, key);
`;

for (const [name, find] of [["Node", findNode], ["Bun", findBun], ["Deno", findDeno]] as const) {
  Deno.test(`CommonJS requires the package for npm in ${name}`, async () => {
    await Deno.writeTextFile(join(folder, "program.cjs"), REQUIRING);
    await using running = Tool.run([], {
      program: [...await find([]), "program.cjs"],
      cwd: folder,
    });
    assertEquals(await running.line(), "function session:1");
    assertEquals(await running.ended().then(({ code, stderr }) => [code, stderr]), [0, ""]);
  });
}

/** With nothing to be fetched: what is not there fails. */
const NPX = { program: ["npx", "keywatch"], env: { npm_config_offline: "true" } };

Deno.test("npx finds the CLI, which shows its help", async () => {
  await using tool = Tool.run(["--help"], { ...NPX, cwd: folder });
  const text = await tool.rest();
  assertMatch(text, /^Usage: keywatch <command>/);
  assertEquals(await tool.exited(), 0);
});

Deno.test("npx finds the CLI, which watches", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using tool = Tool.run(["watch", "--url", server.url, "--count", "1", "user:*"], {
    ...NPX,
    cwd: folder,
  });
  await tool.noted("watching user:*");
  await server.command("SET", "user:1", "x");
  assertMatch((await tool.line())!, /set .*user:1$/);
  assertEquals(await tool.exited(), 0);
});
