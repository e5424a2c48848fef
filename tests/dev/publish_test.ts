/** What goes to JSR. */
import { assertEquals } from "@std/assert";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { documents, PAGE } from "../../dev/npm/package.ts";
import { readConfig, ROOT } from "../../dev/project.ts";
import { linksOf } from "./tree.ts";
import { type Finished, run } from "../servers/run.ts";

async function deno(...args: string[]): Promise<Finished> {
  const command = [Deno.execPath(), ...args];
  const finished = await run(command, { cwd: ROOT, env: { NO_COLOR: "1" } });
  assertEquals(finished.code, 0, finished.output);
  return finished;
}

/** The modules that these entries need, with those of which only types are. */
async function modulesOf(entries: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const entry of entries) {
    const { modules } = JSON.parse((await deno("info", "--json", entry)).stdout);
    for (const { specifier } of modules as { specifier: string }[]) {
      if (specifier.startsWith("file:")) found.add(relative(ROOT, fileURLToPath(specifier)));
    }
  }
  return [...found];
}

Deno.test("JSR gets the modules that the entries need, the documents, and nothing else", async () => {
  const { exports } = await readConfig();
  const { output } = await deno("publish", "--dry-run", "--allow-dirty", "--no-check");
  const published = [...output.matchAll(/^ +(file:\S+) \(/gm)].map(([, url]) => {
    return relative(ROOT, fileURLToPath(url!));
  });
  assertEquals(
    [...new Set(published)].sort(),
    [
      "deno.json",
      ...documents(),
      ...[...Deno.readDirSync(join(ROOT, PAGE))].map(({ name }) => `${PAGE}/${name}`),
      ...await modulesOf(Object.values(exports)),
    ].sort(),
  );
  // JSR shows only the README, with links to the files of the package.
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  assertEquals(linksOf("README.md", readme).filter((path) => !published.includes(path)), []);
});
