import { delimiter, isAbsolute, join } from "node:path";
import { withLock } from "../servers/cache.ts";
import { run } from "../servers/run.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** With the fonts that it needs to show any text. */
const PACKAGES = ["chromium", "fonts-dejavu-core"];

const HOW_TO_INSTALL = "install it (Debian, Ubuntu: `apt-get install chromium`) or set CHROMIUM " +
  "to the path of a Chromium or Chrome program";

/** No browser could be found or installed. */
export class MissingBrowserError extends Error {
  override name = "MissingBrowserError";
}

async function isChromium(path: string): Promise<boolean> {
  const { code, stdout } = await run([path, "--version"]);
  return code === 0 && /^(Chromium|Google Chrome) \d/.test(stdout);
}

export interface FindOptions {
  /** The environment to look in; the process's own if not given. */
  env?: { get(name: string): string | undefined };
  /** Whether Debian's package may be installed; if not given, only by root. */
  mayInstall?: boolean;
}

async function lookForChromium(env: NonNullable<FindOptions["env"]>): Promise<string | null> {
  const chosen = env.get("CHROMIUM");
  if (chosen) {
    if (await isChromium(chosen)) return chosen;
    throw new MissingBrowserError(`Cannot use $CHROMIUM: ${chosen} is not Chromium or Chrome`);
  }
  for (const folder of (env.get("PATH") ?? "").split(delimiter).filter(isAbsolute)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      const found = await Deno.stat(path).then(({ isFile }) => isFile, () => false);
      if (found && await isChromium(path)) return path;
    }
  }
  return null;
}

/**
 * Finds Chromium, `$CHROMIUM` first, or installs Debian's package when run by root. Safe in several
 * processes at once.
 *
 * @throws {MissingBrowserError} if there is none and none can be installed
 */
export async function findChromium(
  { env = Deno.env, mayInstall = Deno.uid() === 0 }: FindOptions = {},
): Promise<string> {
  const found = await lookForChromium(env);
  if (found) return found;
  if (!mayInstall || (await run(["apt-get", "--version"])).code !== 0) {
    throw new MissingBrowserError(`Cannot find Chromium on the PATH; ${HOW_TO_INSTALL}`);
  }
  return await withLock("install", async () => {
    const meanwhile = await lookForChromium(env);
    if (meanwhile) return meanwhile;
    console.error(`Installing Debian's packages ${PACKAGES.join(", ")} …`);
    const quietly = { env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" } };
    const install = ["install", "-y", "--no-install-recommends", ...PACKAGES];
    for (const step of [["update"], ["-o", "DPkg::Lock::Timeout=120", ...install]]) {
      const { code, output } = await run(["apt-get", "-q", ...step], quietly);
      if (code === 0) continue;
      throw new MissingBrowserError(
        `Cannot install Chromium: \`apt-get ${step.join(" ")}\` ended with ${code}; ` +
          `${HOW_TO_INSTALL}\n${output.trimEnd()}`,
      );
    }
    const installed = await lookForChromium(env);
    if (installed) return installed;
    throw new MissingBrowserError(`Cannot find Chromium after it was installed; ${HOW_TO_INSTALL}`);
  });
}
