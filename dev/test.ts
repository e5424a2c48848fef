/**
 * The task `test`: sees to it that there is a server, then runs the tests with the leak sanitizers
 * on. Arguments go to `deno test`: files or folders in place of all tests, and options such as
 * `--filter=name`. With `--matrix` first, the tests that want every version of the servers.
 *
 * `$TEST_REPORT` names a file for a JUnit report.
 */
import { join } from "node:path";
import { ensureServer, matrix } from "../tests/servers/mod.ts";
import { ROOT, sourceFiles } from "./project.ts";

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(join(ROOT, path)).then(() => true, () => false);
}

const everyServer = Deno.args[0] === "--matrix";
const given = everyServer ? Deno.args.slice(1) : Deno.args;
const options = { progress: (message: string) => console.error(message) };

try {
  await (everyServer ? matrix(options) : ensureServer(options));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}

const matrixFiles = (await sourceFiles(join(ROOT, "tests")))
  .map((file) => `tests/${file}`)
  .filter((file) => file.endsWith("_matrix_test.ts"));
const leftOut = everyServer ? [] : matrixFiles.filter((file) => !given.includes(file));
const chosen = (await Promise.all(given.map(exists))).includes(true);
const files = chosen ? [] : everyServer ? matrixFiles : ["tests/"];

const report = Deno.env.get("TEST_REPORT");
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "--sanitize-ops",
    "--sanitize-resources",
    "--allow-all",
    ...(report ? [`--junit-path=${report}`] : []),
    ...(leftOut.length > 0 ? [`--ignore=${leftOut.join(",")}`] : []),
    ...given,
    ...files,
  ],
  cwd: ROOT,
}).spawn().status;
Deno.exit(code);
