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
  return await Deno.stat(path).then(() => true, () => false);
}

async function testFiles(everyServer: boolean): Promise<string[]> {
  const files = (await sourceFiles(join(ROOT, "tests"))).map((file) => `tests/${file}`);
  return files.filter((file) =>
    everyServer ? file.endsWith("_matrix_test.ts") : /(?<!_matrix)_test\.ts$/.test(file)
  );
}

const everyServer = Deno.args[0] === "--matrix";
const given = everyServer ? Deno.args.slice(1) : Deno.args;
const progress = (message: string) => console.error(message);

try {
  await (everyServer ? matrix(progress) : ensureServer(progress));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}

const chosen = (await Promise.all(given.map(exists))).includes(true);
const files = chosen ? [] : await testFiles(everyServer);
if (!chosen && files.length === 0) {
  console.error("There is no such test file");
  Deno.exit(1);
}

const report = Deno.env.get("TEST_REPORT");
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "--sanitize-ops",
    "--sanitize-resources",
    "--allow-all",
    ...(report ? [`--junit-path=${report}`] : []),
    ...given,
    ...files,
  ],
  cwd: chosen ? Deno.cwd() : ROOT,
}).spawn().status;
Deno.exit(code);
