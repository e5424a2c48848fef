import { inSteps } from "../steps.ts";
import { REPLICAS } from "./replicas.ts";

for (const { name, run } of REPLICAS) Deno.test(name, inSteps((step) => run({}, step)));
