import { withLock } from "../servers/cache.ts";
import { run } from "../servers/run.ts";

/** A program and the arguments that come before the script. */
export type Program = [string, ...string[]];

/** From npm, because it is how the rest of the tests' set-up comes too. */
const BUN = "1.4.5";
const OLDEST_NODE = 20;

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

/** Bun, which npm installs at the first use and keeps in its cache. */
export async function findBun(): Promise<Program> {
  // Its path rather than npx to run it: a program that npx starts is not ended by ending npx.
  const npx = ["npx", "-y", `--package=bun@${BUN}`, "--call", "command -v bun"];
  // Two processes of npm that install the same package at once spoil it for each other.
  const { code, stdout, output } = await withLock("bun", () => run(npx));
  if (code !== 0) {
    throw new Error(`Cannot install Bun: \`${npx.join(" ")}\` ended with ${code}:\n${output}`);
  }
  const bun = stdout.trim();
  const { stdout: version, output: words } = await run([bun, "--version"]);
  // Without --no-install a package that is missing would be fetched.
  if (version.trim() === BUN) return [bun, "--no-install"];
  throw new Error(`Cannot test in Bun ${BUN}: \`${bun} --version\` says "${words.trim()}"`);
}

/** The Deno that runs this, with the right to use loopback and these unix sockets, and no other. */
export function findDeno(sockets: readonly string[]): Promise<Program> {
  return Promise.resolve([
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-lock",
    "--cached-only",
    "--node-modules-dir=manual",
    `--allow-net=${["127.0.0.1", ...sockets.map((path) => `unix:${path}`)]}`,
    `--allow-read=${sockets}`,
    `--allow-write=${sockets}`,
  ]);
}
