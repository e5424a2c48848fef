import { dirname, join, posix } from "node:path";

/** A temporary folder with the given files, removed when it goes out of use. */
export async function temporaryTree(
  files: Record<string, string>,
): Promise<AsyncDisposable & { root: string }> {
  const root = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(root, name)), { recursive: true });
    await Deno.writeTextFile(join(root, name), text);
  }
  return { root, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

/** A `deno.json` with this project's names. */
export const CONFIG: string = JSON.stringify({
  name: "@keywatch/keywatch",
  exports: { ".": "./mod.ts", "./resp": "./resp/mod.ts", "./parse": "./parse/mod.ts" },
});

/** The files that a document links to or shows, by paths from the same folder as its own. */
export function linksOf(document: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !/^(?:[a-z]+:|#)/.test(target))
    .map((target) => posix.join(posix.dirname(document), target.split("#")[0]!));
}
