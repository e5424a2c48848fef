/**
 * The modules without a socket, in the smallest runtimes there are: V8 and QuickJS with nothing around
 * them, and a worker without a compatibility flag or a network.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { getQuickJS } from "npm:quickjs-emscripten@0.32.0";
import { problemsOf, runToEnd } from "./outcome.ts";
import { applicationOfTests, bundleApplication } from "./package.ts";
import { findNode, findWorkerd } from "./programs.ts";

const application = applicationOfTests();

/** Where the package has only those rooms. */
const alone = () => join(application.folder, "alone");

/** Bundles the cases as a script, which defines `rooms`. */
async function bundleScript(folder: string): Promise<void> {
  const options = ["--format=iife", "--global-name=rooms", "--platform=neutral"];
  await bundleApplication(folder, "run.mjs", [...options, "--outfile=isolate.js"]);
}

Deno.test("the modules without a socket need nothing but the language in V8", async () => {
  const folder = alone();
  await bundleScript(folder);
  const program = [...await findNode(), "isolate.mjs", "isolate.js"] as const;
  const problems = problemsOf(await runToEnd([...program], folder));
  assertEquals(problems, [], problems.join("\n"));
});

Deno.test("the modules without a socket need nothing but the language in QuickJS", async () => {
  const folder = alone();
  await bundleScript(folder);
  const script = await Deno.readTextFile(join(folder, "isolate.js"));
  const lines: string[] = [];
  using context = (await getQuickJS()).newContext();
  using print = context.newFunction("print", (line) => void lines.push(context.getString(line)));
  context.setProp(context.global, "print", print);
  const run = `${script}\nrooms.runRooms((line) => print(JSON.stringify(line)));`;
  using result = context.evalCode(run);
  if (result.error) throw new Error(`QuickJS threw ${JSON.stringify(context.dump(result.error))}`);
  const ended = context.dump(result.value) === true ? "with 0" : "with 1";
  const problems = problemsOf({ ended, stdout: lines.join("\n"), stderr: "" });
  assertEquals(problems, [], problems.join("\n"));
});

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = [])),
  ],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "bundle.js")],
  compatibilityDate = "2026-11-01",
);
`;

Deno.test("the modules without a socket work in a worker that has no flag and no network", async () => {
  const folder = alone();
  await bundleApplication(folder, "worker.mjs", ["--platform=neutral", "--outfile=bundle.js"]);
  await Deno.writeTextFile(join(folder, "config.capnp"), CONFIG);
  const ended = await runToEnd([...await findWorkerd(), "test", "config.capnp"], folder);
  // It writes about its work there, also when all is well.
  const problems = problemsOf({ ...ended, stderr: "" });
  assertEquals(problems, [], `${problems.join("\n")}\n${ended.stderr}`);
});
