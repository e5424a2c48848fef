import { inSteps } from "../steps.ts";
import { CHANGES } from "./changes.ts";

for (const { name, run } of CHANGES) Deno.test(name, inSteps((step) => run({}, step)));
