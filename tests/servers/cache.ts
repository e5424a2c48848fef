import { join } from "node:path";

/**
 * The folder in which downloads and locks live between runs: `$XDG_CACHE_HOME/keywatch`, or
 * `~/.cache/keywatch`, or one in the temporary folder where there is no home.
 */
export async function cacheFolder(...inside: string[]): Promise<string> {
  const home = Deno.env.get("HOME");
  const base = Deno.env.get("XDG_CACHE_HOME") ??
    (home ? join(home, ".cache") : join(Deno.env.get("TMPDIR") ?? "/tmp", `cache-${Deno.uid()}`));
  const folder = join(base, "keywatch", ...inside);
  await Deno.mkdir(folder, { recursive: true });
  return folder;
}

/**
 * Runs `work` while no other process on this machine is inside the lock of the same name. The
 * kernel frees the lock of a process that dies.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const path = join(await cacheFolder(), `${name}.lock`);
  using file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  try {
    return await work();
  } finally {
    await file.unlock();
  }
}
