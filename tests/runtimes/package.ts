import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../servers/run.ts";
import { madeOnce, packedPackage } from "./packed.ts";
import { findEsbuild } from "./programs.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Runs a program that must not fail, and returns all that it wrote. */
export async function mustRun(what: string, command: string[], cwd: string): Promise<string> {
  const { code, output } = await run(command, { cwd, env: { NO_COLOR: "1" } });
  if (code !== 0) throw new Error(`Cannot ${what}: ${command[0]} ended with ${code}:\n${output}`);
  return output;
}

/** Copies what is chosen of a folder, with all that is in it. */
export async function copy(
  from: string,
  to: string,
  choose: (name: string) => boolean,
): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(from)) {
    if (!choose(name)) continue;
    if (isDirectory) await copy(join(from, name), join(to, name), () => true);
    else if (isSymlink) await Deno.symlink(await Deno.readLink(join(from, name)), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** By the name that it has in Deno, so that its users' code is one code everywhere. */
const NAME = "@keywatch/keywatch";

/**
 * Has npm install a package from a file in an empty project.
 *
 * @param requested a tarball, or `name@file:tarball` to give it that name there
 * @param others packages from npm beside it, as `name@version`; without them no network is needed
 */
export async function installPackage(
  folder: string,
  requested: string,
  others: readonly string[] = [],
): Promise<void> {
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module" }),
  );
  const from = others.length === 0 ? "--offline" : "--prefer-offline";
  const options = [from, "--ignore-scripts", "--no-audit", "--no-fund"];
  await mustRun("install packages", ["npm", "install", ...options, requested, ...others], folder);
}

/**
 * Makes an application of a folder: has npm install the package as npm gets it, from its file, and
 * puts the conformance script beside it. Needs no network.
 *
 * In `alone/` below it, the package has only the rooms without a socket.
 *
 * @returns the names of the package's entries
 */
async function makeApplication(folder: string): Promise<string[]> {
  // Once for all applications, because npm takes a second to start.
  const installed = await madeOnce("installed", async (folder) => {
    await installPackage(folder, `${NAME}@file:${await packedPackage()}`);
  });
  await copy(installed, folder, () => true);

  const parts = ["cases", "alone"];
  await copy(HERE, folder, (name) => name.endsWith(".mjs") || parts.includes(name));
  // It is TypeScript, and asks whether it is the program itself.
  const example = "one_connection.mjs";
  await mustRun("make JavaScript of the example", [
    ...await findEsbuild(),
    join(HERE, example),
    "--bundle",
    "--format=esm",
    "--external:@keywatch/keywatch",
    "--external:node:*",
    "--define:import.meta.main=false",
    "--log-level=warning",
    "--allow-overwrite",
    `--outfile=${join(folder, example)}`,
  ], folder);
  const name = join("node_modules", NAME);
  const rooms = ["package.json", "bytes", "parse", "events", "resp"];
  await copy(join(folder, name), join(folder, "alone", name), (entry) => rooms.includes(entry));

  const { exports } = JSON.parse(await Deno.readTextFile(join(folder, name, "package.json")));
  return Object.keys(exports).filter((entry) => entry !== "./package.json");
}

/** An application as {@linkcode makeApplication} makes it. */
export interface Application {
  readonly folder: string;
  /** The names of the package's entries. */
  readonly entries: readonly string[];
}

/**
 * Has an application made before the tests of a file, and removed after them.
 *
 * @returns the application, once the tests run
 */
export function applicationOfTests(): Application {
  const application = { folder: "", entries: [] as string[] };
  Deno.test.beforeAll(async () => {
    application.folder = await Deno.makeTempDir({ prefix: "keywatch-" });
    application.entries = await makeApplication(application.folder);
  });
  Deno.test.afterAll(async () => {
    await Deno.remove(application.folder, { recursive: true });
  });
  return application;
}

/**
 * Bundles a file of the application as a module.
 *
 * @param options the bundler's, such as `--platform=neutral`
 * @returns what the bundler warned of
 */
export async function bundleApplication(
  folder: string,
  file: string,
  options: string[],
): Promise<string> {
  const always = ["--bundle", "--format=esm", "--log-level=warning"];
  const esbuild = [...await findEsbuild(), file, ...always, ...options];
  const { code, output } = await run(esbuild, { cwd: folder });
  if (code !== 0) throw new Error(`Cannot bundle ${file}: esbuild ended with ${code}:\n${output}`);
  return output;
}

/** A file that the bundler wrote, as its metafile describes it. */
export interface Chunk {
  readonly entryPoint?: string;
  /** The modules that are in it. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
}

/** The chunks that are loaded at the start of an entry: all that it needs without an `import()`. */
export function initialChunks(entry: string, chunks: Readonly<Record<string, Chunk>>): string[] {
  const [start] = Object.keys(chunks).filter((path) => chunks[path]!.entryPoint === entry);
  const found = new Set([start!]);
  // It grows while it is gone over.
  for (const name of found) {
    for (const { path, kind } of chunks[name]!.imports) {
      if (kind === "import-statement" && path in chunks) found.add(path);
    }
  }
  return [...found];
}
