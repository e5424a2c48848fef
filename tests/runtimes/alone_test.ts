/**
 * The rooms without a socket, in the smallest runtimes there are: V8 with nothing around it, and a
 * worker without a compatibility flag or a network.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { problemsOf, runToEnd } from "./outcome.ts";
import { applicationOfTests, bundleApplication } from "./package.ts";
import { findNode, findWorkerd } from "./programs.ts";

const application = applicationOfTests();

/** Where the package has only those rooms. */
const alone = () => join(application.folder, "alone");

Deno.test("the rooms without a socket need of a runtime only TextEncoder and TextDecoder", async () => {
  const folder = alone();
  const options = ["--format=iife", "--global-name=rooms", "--platform=neutral"];
  await bundleApplication(folder, "run.mjs", [...options, "--outfile=isolate.js"]);
  const program = [...await findNode(), "isolate.mjs", "isolate.js"] as const;
  const problems = problemsOf(await runToEnd([...program], folder));
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

Deno.test("the rooms without a socket work in a worker that has no flag and no network", async () => {
  const folder = alone();
  await bundleApplication(folder, "worker.mjs", ["--platform=neutral", "--outfile=bundle.js"]);
  await Deno.writeTextFile(join(folder, "config.capnp"), CONFIG);
  const ended = await runToEnd([...await findWorkerd(), "test", "config.capnp"], folder);
  // It writes about its work there, also when all is well.
  const problems = problemsOf({ ...ended, stderr: "" });
  assertEquals(problems, [], `${problems.join("\n")}\n${ended.stderr}`);
});
