import { delimiter, isAbsolute, join } from "node:path";
import { withLock } from "./cache.ts";
import { run } from "./run.ts";

/** A server program that was seen to run. */
export interface ServerBinary {
  product: "redis" | "valkey" | "redict";
  /** As the program reports it, such as `7.0.15`. */
  version: string;
  /** The program, and the arguments that come before the server's own. */
  command: [string, ...string[]];
}

/** No server program could be found or installed. */
export class MissingServerError extends Error {
  override name = "MissingServerError";
}

export interface ProgressOptions {
  /** Called with what happens if it takes longer than a look at the disk. */
  progress?: (message: string) => void;
}

export interface FindOptions extends ProgressOptions {
  /** The environment to look in; the process's own if not given. */
  env?: { get(name: string): string | undefined };
  /** Whether Debian's package may be installed; if not given, only by root. */
  mayInstall?: boolean;
}

const HOW_TO_INSTALL = "install it (Debian, Ubuntu: `apt-get install redis-server`; " +
  "macOS: `brew install redis`; Fedora: `dnf install valkey`) " +
  "or set REDIS_SERVER to the path of a redis-server or valkey-server program";

/** Asks a program for its version; `null` if it is not a Redis or Valkey server. */
export async function identify(command: [string, ...string[]]): Promise<ServerBinary | null> {
  const { code, stdout } = await run([...command, "--version"]);
  const found = /^(Redis|Valkey|Redict) server v=(\d+\.\d+\.\d+)/.exec(stdout);
  if (code !== 0 || !found) return null;
  return {
    product: found[1]!.toLowerCase() as ServerBinary["product"],
    version: found[2]!,
    command,
  };
}

async function onPath(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const file = join(folder, name);
    try {
      if ((await Deno.stat(file)).isFile) return file;
    } catch {
      // Not in this folder, or a folder that may not be read.
    }
  }
  return null;
}

/**
 * Finds a server without changing the system: `$REDIS_SERVER`, then `redis-server` and
 * `valkey-server` on the PATH. `null` if there is none.
 *
 * @throws {MissingServerError} if `$REDIS_SERVER` is set and is not a server: it is never passed over.
 */
export async function lookForServer(
  env: NonNullable<FindOptions["env"]> = Deno.env,
): Promise<ServerBinary | null> {
  const chosen = env.get("REDIS_SERVER");
  if (chosen) {
    const server = await identify([chosen]);
    if (server) return server;
    throw new MissingServerError(
      `Cannot use $REDIS_SERVER: ${chosen} does not answer --version as Redis or Valkey do; ` +
        "set it to the path of a redis-server or valkey-server program, or unset it",
    );
  }
  for (const name of ["redis-server", "valkey-server"]) {
    const file = await onPath(name, env.get("PATH") ?? "");
    const server = file && await identify([file]);
    if (server) return server;
  }
  return null;
}

async function installDebianPackage(progress: (message: string) => void): Promise<void> {
  progress("Installing Debian's redis-server package …");
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const steps = [
    ["apt-get", "-q", "update"],
    [
      "apt-get",
      "-q",
      "-y",
      "-o",
      "DPkg::Lock::Timeout=120",
      "install",
      "--no-install-recommends",
      "redis-server",
    ],
  ];
  for (const step of steps) {
    const { code, output } = await run(step, { env });
    if (code === 0) continue;
    console.error(output.trimEnd());
    throw new MissingServerError(
      `Cannot install a Redis server: \`${step.join(" ")}\` ended with ${code}; ${HOW_TO_INSTALL}`,
    );
  }
}

/**
 * Finds a server, or installs Debian's package when run by root. Safe in several processes at
 * once: one installs, the others wait for it.
 *
 * @throws {MissingServerError} if there is none and none can be installed.
 */
export async function findServer(options: FindOptions = {}): Promise<ServerBinary> {
  const env = options.env ?? Deno.env;
  const found = await lookForServer(env);
  if (found) return found;

  const mayInstall = options.mayInstall ??
    (Deno.uid() === 0 && await onPath("apt-get", env.get("PATH") ?? "") !== null);
  if (!mayInstall) {
    throw new MissingServerError(
      `Cannot find a Redis or Valkey server on the PATH; ${HOW_TO_INSTALL}`,
    );
  }
  return await withLock("install", async () => {
    const meanwhile = await lookForServer(env);
    if (meanwhile) return meanwhile;
    await installDebianPackage(options.progress ?? (() => {}));
    const installed = await lookForServer(env);
    if (installed) return installed;
    throw new MissingServerError(
      `Cannot find redis-server on the PATH after its package was installed; ${HOW_TO_INSTALL}`,
    );
  });
}

let ensured: Promise<ServerBinary> | undefined;

/** As {@linkcode findServer}, asked once for the whole process. */
export function ensureServer(options: ProgressOptions = {}): Promise<ServerBinary> {
  ensured ??= findServer(options).catch((error) => {
    ensured = undefined;
    throw error;
  });
  return ensured;
}
