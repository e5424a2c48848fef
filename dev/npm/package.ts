import { dirname, join, posix } from "node:path";
import { readConfig, ROOT } from "../project.ts";
import { compileCode, compileTypes, type Output } from "./compile.ts";
import { compiledPath, CONDITIONAL, manifest, NAME, TOOL } from "./manifest.ts";

/** What goes into the package beside the modules, by paths in the project. */
export function documents(): string[] {
  const texts = ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
  const pages = [...Deno.readDirSync(join(ROOT, "docs"))].filter(({ isFile }) => isFile);
  return [...texts, ...pages.map(({ name }) => `docs/${name}`)];
}

/** The files that the CLI reads when it runs. */
export const PAGE = "cli/dashboard/page";

/** The folder of the package for the sources that its source maps name. */
const SOURCES = "src";

async function write(folder: string, path: string, text: string): Promise<void> {
  const file = join(folder, path);
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeTextFile(file, text, text.startsWith("#!") ? { mode: 0o755 } : {});
}

/** A text in which examples import the package by its name on npm; what they say stays. */
function renamed(text: string, from: string): string {
  return text.replaceAll(
    new RegExp(`\\b(from |import |import\\()"${from}(?=["/])`, "g"),
    `$1"${NAME}`,
  );
}

/** A document, in which links that lead out of the package have become text. */
function withoutLinks(
  path: string,
  text: string,
  isInPackage: (path: string) => boolean,
): string {
  return text.replaceAll(/(?<!!)\[([^\][]+)\]\(([^)\s]+)\)/g, (link, words, target) => {
    if (/^(?:[a-z]+:|#)/.test(target)) return link;
    return isInPackage(posix.join(posix.dirname(path), target.split("#")[0])) ? link : words;
  });
}

/** The code of a module, with imports by condition in place of the modules that stand for them. */
function withConditions(module: string, output: Output): Output {
  return CONDITIONAL.reduce(({ text, ...rest }, { name, module: standIn }) => {
    const relative = posix.relative(posix.dirname(module), standIn);
    const specifier = compiledPath(relative.startsWith(".") ? relative : `./${relative}`, ".js");
    return { text: text.replaceAll(`"${specifier}"`, `"${name}"`), ...rest };
  }, output);
}

/**
 * Writes the package for npm to a folder: what the exports and the CLI need, and nothing else.
 * `deno pack` leaves out the CLI, and the types of modules that are not exports.
 *
 * @param repository as for {@linkcode manifest}
 */
export async function writePackage(folder: string, repository?: string): Promise<void> {
  const config = await readConfig();
  const sources = new Set<string>();
  const writeModules = async (
    starts: readonly string[],
    extension: ".js" | ".d.ts",
    compile: (module: string) => Output | Promise<Output>,
  ): Promise<void> => {
    const modules = new Set(starts);
    // It grows while it is gone over.
    for (const module of modules) {
      const { text, map, imports } = await compile(module);
      const path = compiledPath(module, extension);
      await write(folder, path, renamed(text, config.name));
      const source = posix.join(SOURCES, module);
      map.sources = [posix.relative(posix.dirname(path), source)];
      await write(folder, `${path}.map`, JSON.stringify(map));
      sources.add(module);
      for (const name of imports) modules.add(posix.join(posix.dirname(module), name));
    }
  };
  const exported = Object.values(config.exports).map((path) => posix.normalize(path));
  const types = compileTypes(exported);
  await writeModules(exported, ".d.ts", (module) => types.get(module)!);
  await writeModules([...exported, TOOL], ".js", async (module) => {
    return withConditions(module, compileCode(module, await Deno.readTextFile(join(ROOT, module))));
  });
  for (const module of sources) {
    const text = await Deno.readTextFile(join(ROOT, module));
    await write(folder, `${SOURCES}/${module}`, renamed(text, config.name));
  }
  const names = documents();
  for (const name of names) {
    if (!name.endsWith(".md")) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.copyFile(join(ROOT, name), join(folder, name));
      continue;
    }
    const text = renamed(await Deno.readTextFile(join(ROOT, name)), config.name);
    await write(folder, name, withoutLinks(name, text, (path) => names.includes(path)));
  }
  for await (const { name } of Deno.readDir(join(ROOT, PAGE))) {
    await write(folder, `${PAGE}/${name}`, await Deno.readTextFile(join(ROOT, PAGE, name)));
  }
  const about = JSON.stringify(manifest(config, repository), null, 2);
  await write(folder, "package.json", `${about}\n`);
}

/**
 * Packs the package for npm, with npm.
 *
 * @param destination the folder for the tarball
 * @param repository as for {@linkcode manifest}
 * @returns the path of the tarball
 */
export async function packPackage(destination: string, repository?: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-npm-" });
  try {
    await writePackage(folder, repository);
    await Deno.mkdir(destination, { recursive: true });
    const { success, stdout, stderr } = await new Deno.Command("npm", {
      args: ["pack", "--json", "--offline", "--ignore-scripts", "--pack-destination", destination],
      cwd: folder,
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) {
      throw new Error(`Cannot pack for npm: npm pack says:\n${decoder.decode(stderr)}`);
    }
    const [{ filename }] = JSON.parse(decoder.decode(stdout));
    return join(destination, filename);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
