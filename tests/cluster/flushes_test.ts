import { inSteps } from "../steps.ts";
import { CLUSTER_FLUSHES } from "./flushes.ts";

for (const { name, run } of CLUSTER_FLUSHES) Deno.test(name, inSteps((step) => run({}, step)));
