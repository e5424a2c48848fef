import { assertEquals } from "@std/assert";
import { matrix } from "../servers/mod.ts";
import { eachOnCluster, mixedOnCluster } from "./cluster_scenarios.ts";
import { MODES, problems } from "./scenarios.ts";
import { anySeed } from "../random.ts";

const seed = anySeed();
const servers = await matrix({ progress: (message) => console.error(message) });

for (const [index, binary] of servers.entries()) {
  // What 8.0 does on clusters, the others do too.
  if (binary.product === "redis" && binary.version.startsWith("8.0.")) continue;
  const [first, second] = [MODES[index % 2]!, MODES[(index + 1) % 2]!];

  Deno.test(`${binary.product} ${binary.version}: nothing is lost on a cluster, nor reported twice`, async () => {
    const options = { seed, binary };
    const outcomes = await eachOnCluster(first, options, 1);
    outcomes.push(await mixedOnCluster(second, 20, options));
    assertEquals(problems(outcomes), [], `with the seed ${seed}`);
  });
}
