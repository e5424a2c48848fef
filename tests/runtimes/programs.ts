import { join } from "node:path";
import { cacheFolder, withLock } from "../servers/cache.ts";
import { run } from "../servers/run.ts";

/** A program and the arguments that come before the script. */
export type Program = [string, ...string[]];

/** From npm, because it is how the rest of the tests' set-up comes too. */
const BUN = "1.4.5";
const WORKERD = "1.20261117.1";
const ESBUILD = "0.28.2";
const OLDEST_NODE = 20;
const NODE_24 = "24.22.3";

/** Node from the PATH. */
export async function findNode(): Promise<Program> {
  const { code, stdout, output } = await run(["node", "--version"]);
  const major = Number(/^v(\d+)\./.exec(stdout)?.[1]);
  if (code === 0 && major >= OLDEST_NODE) return ["node"];
  throw new Error(
    `Cannot test in Node: \`node --version\` says "${output.trim()}"; ` +
      `put Node ${OLDEST_NODE} or later on the PATH`,
  );
}

/**
 * A program of an npm package, which npm installs at the first use and keeps in its cache.
 *
 * @param says what it says its version is
 * @param program its name, if that is not the name of the package
 */
async function findInNpm(
  name: string,
  version: string,
  says = version,
  program = name,
): Promise<string> {
  const note = join(await cacheFolder("programs"), `${name}-${version}`);
  // Two processes of npm that install the same package at once spoil it for each other.
  return await withLock(name, async () => {
    // Only to say where the program is, npm takes a second.
    const known = await Deno.readTextFile(note).catch(() => null);
    if (known !== null && (await run([known, "--version"])).stdout.trim() === says) return known;
    // Its path rather than npx to run it: a program that npx starts is not ended by ending npx.
    const npx = ["npx", "-y", `--package=${name}@${version}`, "--call", `command -v ${program}`];
    const { code, stdout, output } = await run(npx);
    if (code !== 0) {
      throw new Error(
        `Cannot install ${name}: \`${npx.join(" ")}\` ended with ${code}:\n${output}`,
      );
    }
    const found = stdout.trim();
    const { stdout: said, output: words } = await run([found, "--version"]);
    if (said.trim() !== says) {
      throw new Error(
        `Cannot test with ${name} ${version}: \`${found} --version\` says "${words.trim()}"`,
      );
    }
    await Deno.writeTextFile(note, found);
    return found;
  });
}

/** Node 24. */
export async function findNode24(): Promise<Program> {
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const name = `node-${Deno.build.os}-${architecture}`;
  return [await findInNpm(name, NODE_24, `v${NODE_24}`, "node")];
}

/** Bun. */
export async function findBun(): Promise<Program> {
  // Without --no-install a package that is missing would be fetched.
  return [await findInNpm("bun", BUN), "--no-install"];
}

/** The runtime of Workers. */
export async function findWorkerd(): Promise<Program> {
  return [await findInNpm("workerd", WORKERD, "workerd 2026-11-17")];
}

/** A bundler. */
export async function findEsbuild(): Promise<Program> {
  return [await findInNpm("esbuild", ESBUILD)];
}

/** The Deno that runs this, with the right to use loopback and these unix sockets, if any, and no other. */
export function findDeno(sockets: readonly string[]): Promise<Program> {
  return Promise.resolve([
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-lock",
    "--cached-only",
    "--node-modules-dir=manual",
    `--allow-net=${["127.0.0.1", ...sockets.map((path) => `unix:${path}`)]}`,
    ...(sockets.length === 0 ? [] : [`--allow-read=${sockets}`, `--allow-write=${sockets}`]),
  ]);
}
