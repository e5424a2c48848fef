import { dirname, join } from "node:path";
import { documents, packPackage } from "../../dev/npm/package.ts";
import { ROOT, sourceFiles } from "../../dev/project.ts";
import { cacheFolder, withLock } from "../servers/cache.ts";

/** A digest of everything in the project that the package could be made of. */
async function digest(): Promise<string> {
  const files = ["deno.json", ...documents(), ...await sourceFiles()]
    .filter((file) => !/^(?:tests|bench|examples|dist)\//.test(file));
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
 * Makes a folder once for each state of the project, in whatever process asks first.
 *
 * @param make fills the folder that it is given
 * @returns its path
 */
export async function madeOnce(
  name: string,
  make: (folder: string) => Promise<unknown>,
): Promise<string> {
  const parent = join(await cacheFolder("packages"), await digest());
  const folder = join(parent, name);
  const isThere = () => Deno.stat(folder).then(() => true, () => false);
  if (await isThere()) return folder;
  return await withLock(name, async () => {
    if (await isThere()) return folder;
    await removeOld(dirname(parent));
    await Deno.mkdir(parent, { recursive: true });
    // Beside the place it goes to, so that it gets there whole or not at all.
    const unfinished = await Deno.makeTempDir({ dir: parent });
    await make(unfinished);
    await Deno.rename(unfinished, folder);
    return folder;
  });
}

/** The path of the tarball of the package for npm. */
export async function packedPackage(): Promise<string> {
  const folder = await madeOnce("packed", packPackage);
  const [{ name }] = [...Deno.readDirSync(folder)] as [Deno.DirEntry];
  return join(folder, name);
}
