import { assertEquals, assertStringIncludes } from "@std/assert";
import { readConfig, ROOT } from "../../dev/project.ts";
import { run } from "../servers/run.ts";
import { startCluster, startServer, type TestServer, until } from "../servers/mod.ts";
import { Tool } from "../cli/tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** The server that the README speaks of, in whose place a test puts its own. */
const SERVER = "redis://localhost:6379";

async function readme(): Promise<string> {
  return await Deno.readTextFile(new URL("../../README.md", import.meta.url));
}

/** The examples that need a server, by the headings they stand under. */
async function examples(): Promise<Map<string, string>> {
  const sections = (await readme()).split(/^#+ /m);
  return new Map(sections.flatMap((section) => {
    const heading = section.slice(0, section.indexOf("\n"));
    return [...section.matchAll(/^```ts no-run\n(.*?)^```/gms)].map(([, code]) => [heading, code!]);
  }));
}

/**
 * Runs an example with other servers in place of those it names, and no rights but to these.
 *
 * @param others servers that it finds by itself
 */
async function runExample(
  heading: string,
  servers: Record<string, string>,
  others: readonly string[] = [],
): Promise<Tool> {
  let code = (await examples()).get(heading)!;
  for (const [named, url] of Object.entries(servers)) {
    assertStringIncludes(code, `"${named}"`);
    code = code.replace(`"${named}"`, `"${url}"`);
  }
  const hosts = [...Object.values(servers), ...others].map((url) => new URL(url).host);
  // From standard input it runs in the project's folder, where the package's own name leads to it.
  const program = [Deno.execPath(), "run", "--no-prompt", `--allow-net=${hosts}`, "-"];
  const tool = Tool.run([], { program, env: { NO_COLOR: "1" } });
  await tool.type(code);
  await tool.typeEnd();
  return tool;
}

async function isSubscribed(server: TestServer, patterns: number): Promise<void> {
  await until("it has subscribed", async () => {
    return await server.command("PUBSUB", "NUMPAT") === patterns;
  });
}

Deno.test("each example of the README that needs a server is run here", async () => {
  const headings = ["Watch keys", "Watch a cluster"];
  assertEquals([...(await examples()).keys()], headings);
  const count = (await readme()).split("```ts no-run\n").length - 1;
  assertEquals(count, headings.length);
});

Deno.test("the README's example of watching works as printed", async () => {
  await using server = await startServer(TALKATIVE);
  await using script = await runExample("Watch keys", { [SERVER]: server.url });
  await isSubscribed(server, 1);
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
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  assertEquals(await script.line(), "disconnected: read the users again");
  assertEquals(script.notes, "");
});

Deno.test("the README's example of a cluster works as printed", async () => {
  await using cluster = await startCluster(TALKATIVE);
  const [first, second, third] = cluster.urls as [string, string, string];
  await using script = await runExample("Watch a cluster", {
    "redis://node-1:6379": first,
    "redis://node-2:6379": second,
  }, [third]);
  const table = (await script.linesUntil("└")).join("\n");
  for (const { port } of cluster.servers) assertStringIncludes(table, `"127.0.0.1:${port}"`);
  const owner = await cluster.ownerOf("user:1");
  await owner.command("SET", "user:1", "x", "PX", 1);
  const slot = await owner.command("CLUSTER", "KEYSLOT", "user:1");
  const line = await script.line();
  assertEquals(line, `user:1 has expired in slot ${slot} of 127.0.0.1:${owner.port}`);
  assertEquals(script.notes, "");
});

Deno.test("the README's import map for Deno leads to every entry without a warning", async () => {
  const map = /^```json\n(.*?)^```/ms.exec(await readme())![1]!;
  assertStringIncludes(map, '"../keywatch/');
  const { exports, name } = await readConfig();
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, map.replace("../keywatch/", ROOT));
    const imports = Object.keys(exports).map((entry) => `import "${name}${entry.slice(1)}";\n`);
    await Deno.writeTextFile(`${folder}/program.ts`, imports.join(""));
    const { code, output } = await run([Deno.execPath(), "run", "--no-prompt", "program.ts"], {
      cwd: folder,
    });
    assertEquals([code, output], [0, ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
