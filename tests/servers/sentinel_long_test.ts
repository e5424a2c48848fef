import { assertEquals } from "@std/assert";
import { sleep, startSentinels } from "./mod.ts";

Deno.test("a failover on demand, which a sentinel has to be asked for twice", async () => {
  await using all = await startSentinels();
  const [, second] = all.servers;
  await second!.pause();
  const moved = all.failover();
  // Longer than the sentinel waits for it to obey.
  await sleep(4500);
  await second!.resume();
  assertEquals(await moved, second);
});
