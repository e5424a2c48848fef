/**
 * The task `build:npm`: packs the package for npm into `dist/`, or the folder that is given, and
 * prints the path of the tarball.
 *
 * ```sh
 * deno task build:npm [folder] [--repository git+https://…]
 * ```
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../project.ts";
import { packPackage } from "./package.ts";

const { values, positionals: [folder] } = parseArgs({
  args: Deno.args,
  options: { repository: { type: "string" } },
  allowPositionals: true,
});
console.log(await packPackage(folder ? resolve(folder) : resolve(ROOT, "dist"), values.repository));
