import { CHANGES } from "./changes.ts";

for (const { name, run } of CHANGES) Deno.test(name, () => run({}));
