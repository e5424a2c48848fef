import { ensureServer, matrix } from "../servers/mod.ts";
import { inSteps } from "../steps.ts";
import { CLUSTER_FLUSHES } from "./flushes.ts";

const { version } = await ensureServer();
for (const binary of await matrix()) {
  // The default server is that of the other tests.
  if (binary.version === version) continue;
  for (const { name, run } of CLUSTER_FLUSHES) {
    const test = inSteps((step) => run({ binary }, step));
    Deno.test(`${binary.product} ${binary.version}: ${name}`, test);
  }
}
