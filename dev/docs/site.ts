/**
 * The task `docs:site`: builds the pages, the examples and the API reference as a static site, into
 * `dist/site` or the folder that is given. `--base /path/` is the path under which it will be served.
 */
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readConfig, ROOT } from "../project.ts";
import { brokenLinks } from "./site_links.ts";

/** The generator. Its dependencies are in `site/deno.lock`. */
const VITEPRESS = "1.6.4";

/** Pages outside of `docs/`; the first is the start page. */
const ROOT_PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/**
 * Builds the site.
 *
 * @param out the folder that receives it
 * @param base the path under which the site is served, with `/` at both ends
 * @returns the links of the site that lead nowhere
 */
export async function buildSite(out: string, base: string = "/"): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-site-" });
  try {
    const files = join(ROOT, "dev", "docs", "site");
    await Deno.mkdir(join(folder, ".vitepress"));
    await Deno.copyFile(join(files, "deno.lock"), join(folder, "deno.lock"));
    await Deno.copyFile(join(files, "config.mjs"), join(folder, ".vitepress", "config.mjs"));
    const dependencies = { vitepress: VITEPRESS };
    await Deno.writeTextFile(
      join(folder, "package.json"),
      JSON.stringify({ type: "module", private: true, dependencies }),
    );
    await copyPages(folder);
    await deno(["install", "--frozen"], folder);
    await writeReference(join(folder, "public", "api"), base);
    const vitepress = join(folder, "node_modules", "vitepress", "bin", "vitepress.js");
    await deno(["run", "--allow-all", vitepress, "build", "--outDir", out], folder, {
      SITE_BASE: base,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return await brokenLinks(out, base);
}

/** Copies the pages and what they link to. A source file becomes a page that shows it. */
async function copyPages(folder: string): Promise<void> {
  const docs = (await filesUnder(join(ROOT, "docs"))).map((file) => relative(ROOT, file));
  const pages = [...ROOT_PAGES, ...docs].filter((file) => file.endsWith(".md"));
  for (const page of pages) {
    const text = await Deno.readTextFile(join(ROOT, page));
    const links = [...text.matchAll(/\]\(([^)\s#]+)/g)].map(([, target]) => target!);
    const sources = new Map<string, string>();
    for (const target of links.filter((target) => !/^\w+:|\.md$/.test(target))) {
      const file = join(dirname(page), target);
      await Deno.mkdir(dirname(join(folder, file)), { recursive: true });
      if (/\.(?:png|svg)$/.test(target)) {
        await Deno.copyFile(join(ROOT, file), join(folder, file));
        continue;
      }
      sources.set(target, `${target}.md`);
      const language = file.split(".").pop();
      const code = await Deno.readTextFile(join(ROOT, file));
      await Deno.writeTextFile(
        join(folder, `${file}.md`),
        `# ${file}\n\n\`\`\`\`${language}\n${code}\`\`\`\`\n`,
      );
    }
    const linked = text.replace(/(?<=\]\()[^)\s#]+/g, (target) => {
      return (sources.get(target) ?? target).replace(/README\.md$/, "index.md");
    });
    const place = join(folder, page.replace("README", "index"));
    await Deno.mkdir(dirname(place), { recursive: true });
    await Deno.writeTextFile(place, linked);
  }
}

/** Writes the API reference, with a link to the start page on each of its pages. */
async function writeReference(folder: string, base: string): Promise<void> {
  await Deno.mkdir(dirname(folder));
  const { name, exports } = await readConfig();
  const { "./cli": _, ...modules } = exports;
  await deno(
    ["doc", "--html", "--name=API", `--output=${folder}`, ...Object.values(modules)],
    ROOT,
  );
  const style = await Deno.readTextFile(join(ROOT, "dev", "docs", "site", "api.css"));
  await Deno.writeTextFile(join(folder, "page.css"), style, { append: true });
  for (const file of await filesUnder(folder)) {
    if (!file.endsWith(".html")) continue;
    const page = await Deno.readTextFile(file);
    const linked = page
      .replace('<ul class="breadcrumbs">', (list) => {
        return `<a class="siteLink" href="${base}">Keywatch</a>${list}`;
      })
      // The instructions for importing have the names of modules relative to the package.
      .replaceAll(/ from &quot;(\.|\w+)&quot;/g, (_, module) => {
        return ` from &quot;${module === "." ? name : `${name}/${module}`}&quot;`;
      });
    await Deno.writeTextFile(file, linked);
  }
}

/** Lists the files in a folder and in the folders in it. */
async function filesUnder(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) files.push(...await filesUnder(path));
    else files.push(path);
  }
  return files.sort();
}

async function deno(args: string[], cwd: string, env: Record<string, string> = {}): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env,
    stdin: "null",
  }).output();
  if (success) return;
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  throw new Error(`Cannot build the site: \`deno ${args[0]}\` failed:\n${output}`);
}

if (import.meta.main) {
  const { values: { base }, positionals: [folder = join(ROOT, "dist", "site")] } = parseArgs({
    options: { base: { type: "string" } },
    allowPositionals: true,
  });
  const out = resolve(folder);
  const broken = await buildSite(out, base);
  for (const link of broken) console.error(link);
  console.log(out);
  if (broken.length > 0) Deno.exit(1);
}
