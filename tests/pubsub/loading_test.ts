import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startServer } from "../servers/mod.ts";
import { run } from "../servers/run.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TRANSPORTS = join("pubsub", "connection", "transports");

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(join(from, name), join(to, name));
    else if (name.endsWith(".ts")) await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** The source of the package alone, less some files. */
async function sourceWithout(files: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  await Deno.copyFile(join(ROOT, "mod.ts"), join(folder, "mod.ts"));
  const rooms = [...Deno.readDirSync(ROOT)].filter(({ name, isDirectory }) =>
    isDirectory && !/^\.|^(bench|cli|dev|docs|examples|tests|node_modules)$/.test(name)
  );
  for (const { name } of rooms) await copy(join(ROOT, name), join(folder, name));
  for (const file of files) await Deno.remove(join(folder, file));
  return folder;
}

async function runWith(folder: string, program: string): Promise<string> {
  await Deno.writeTextFile(join(folder, "program.ts"), program);
  const { code, output } = await run(
    [Deno.execPath(), "run", "--no-check", "--no-config", "--allow-net=127.0.0.1", "program.ts"],
    { cwd: folder, env: { NO_COLOR: "1" } },
  );
  assertEquals(code, 0, output);
  return output.trim();
}

/** What chooses a transport, and what every runtime loads. */
const CHOICE = ["mod.ts", "host.ts"];

/** All but the choice, and those. */
function transports(...except: string[]): string[] {
  return [...Deno.readDirSync(join(ROOT, TRANSPORTS))]
    .map(({ name }) => name)
    .filter((name) => !CHOICE.includes(name) && !except.includes(name))
    .map((name) => join(TRANSPORTS, name));
}

Deno.test("the module loads no file of a runtime", async () => {
  const folder = await sourceWithout(transports());
  try {
    const program = 'import { connect } from "./mod.ts"; console.log(typeof connect);';
    assertEquals(await runWith(folder, program), "function");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a TCP connection in Deno loads the file for it and no other", async () => {
  const folder = await sourceWithout(transports("deno.ts"));
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  try {
    const program = `
      import { connect } from "./mod.ts";
      await using notifications = await connect("${server.url}");
      await notifications.subscribeKeyspace("key");
      console.log(notifications.status().state);`;
    assertEquals(await runWith(folder, program), "ready");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
