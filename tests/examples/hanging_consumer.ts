/**
 * A consumer of the server in its argument that takes an entry and is never done with it.
 *
 * @module
 */

import { openRedis } from "../../examples/redis.ts";
import { consume } from "../../examples/reliable_bridge.ts";

await consume(await openRedis(Deno.args[0]), "the dead", async () => {
  console.log("taken");
  await new Promise(() => setInterval(() => {}, 1_000));
});
