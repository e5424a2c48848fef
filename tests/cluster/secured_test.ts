import { inSteps } from "../steps.ts";
import { SECURED } from "./secured.ts";

for (const { name, run } of SECURED) Deno.test(name, inSteps((step) => run({}, step)));
