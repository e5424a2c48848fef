import { compareWithReality } from "./model/reality.ts";
import { REDIS_7_0 } from "./model/profiles.ts";

Deno.test("a real server sends what the model of it does", async () => {
  await compareWithReality(REDIS_7_0);
});
