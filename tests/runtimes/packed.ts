import { dirname, join } from "node:path";
import { packPackage } from "../../dev/npm/package.ts";
import { ROOT, sourceFiles } from "../../dev/project.ts";
import { cacheFolder, withLock } from "../servers/cache.ts";

/** A digest of everything in the project that the package could be made of. */
async function digest(): Promise<string> {
  const files = ["deno.json", "README.md", "LICENSE", "CHANGELOG.md", ...await sourceFiles()]
    .filter((file) => !/^(?:tests|bench|docs|examples|dist)\//.test(file));
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(join(ROOT, file))));
  const bytes = new TextEncoder().encode(JSON.stringify([files, texts]));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Removes what was packed more than a day ago; a younger one may be in use. */
async function removeOld(packages: string): Promise<void> {
  for await (const { name } of Deno.readDir(packages)) {
    const path = join(packages, name);
    const { mtime } = await Deno.stat(path);
    if (Date.now() - mtime!.getTime() > 86_400_000) await Deno.remove(path, { recursive: true });
  }
}

/**
 * The package for npm, packed once for each state of the project, in whatever process asks first.
 *
 * @returns the path of the tarball
 */
export async function packedPackage(): Promise<string> {
  const folder = join(await cacheFolder("packages"), await digest());
  const packed = (): string | null => {
    try {
      const [entry] = [...Deno.readDirSync(folder)];
      return entry ? join(folder, entry.name) : null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  };
  return packed() ?? await withLock("package", async () => {
    const meanwhile = packed();
    if (meanwhile) return meanwhile;
    await removeOld(dirname(folder));
    // Beside the place it goes to, so that it gets there whole or not at all.
    const unfinished = await Deno.makeTempDir({ dir: dirname(folder) });
    await packPackage(unfinished);
    await Deno.rename(unfinished, folder);
    return packed()!;
  });
}
