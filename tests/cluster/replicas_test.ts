import { REPLICAS } from "./replicas.ts";

for (const { name, run } of REPLICAS) Deno.test(name, () => run({}));
