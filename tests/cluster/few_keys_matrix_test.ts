import { ensureServer, matrix } from "../servers/mod.ts";
import { inSteps } from "../steps.ts";
import { FEW_KEYS } from "./few_keys.ts";

const { version } = await ensureServer();
for (const binary of await matrix()) {
  // The default server is that of the other tests.
  if (binary.version === version) continue;
  for (const { name, run } of FEW_KEYS) {
    const test = inSteps((step) => run({ binary }, step));
    Deno.test(`${binary.product} ${binary.version}: ${name}`, test);
  }
}
