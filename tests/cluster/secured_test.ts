import { SECURED } from "./secured.ts";

for (const { name, run } of SECURED) Deno.test(name, () => run({}));
