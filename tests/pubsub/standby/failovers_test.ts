import { assert, assertEquals } from "@std/assert";
import { FAILOVERS } from "../failover.ts";
import { failOver } from "./failovers.ts";

const [killed, hangs, planned] = FAILOVERS;

for (const [failover, protocol] of [[killed!, 3], [hangs!, 2]] as const) {
  Deno.test(`RESP${protocol}: ${failover.name}, and a replica that stands by makes it no gap`, async () => {
    const { gaps } = await failOver(failover, { protocol });
    assertEquals(gaps, []);
  });
}

Deno.test("with several replicas nothing is lost in silence, whichever takes over", async () => {
  await failOver(killed!, { protocol: 3 }, undefined, 2);
});

Deno.test("after a failover that was asked for, what it has undone is reported, or its keys", async () => {
  const { gaps, rolledBack } = await failOver(planned!, { protocol: 3 });
  assert(gaps.every(({ keys }) => keys !== undefined), JSON.stringify(gaps));
  assertEquals(rolledBack.length <= 1, true);
});
