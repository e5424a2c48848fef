import { assertEquals } from "@std/assert";
import { matrix } from "../servers/mod.ts";
import {
  allOver,
  describe,
  eachAlone,
  eachFailover,
  MANNERS,
  mixed,
  mixedFailovers,
  problems,
} from "./scenarios.ts";
import { anySeed } from "../random.ts";

const seed = anySeed();
const servers = await matrix({ progress: (message) => console.error(message) });

for (const [index, binary] of servers.entries()) {
  const manner = MANNERS[(index + 2) % MANNERS.length]!;
  const name = `${binary.product} ${binary.version} (${describe(manner)})`;

  Deno.test(`${name}: everything is delivered or lies in an honest gap`, async () => {
    const options = { seed, binary };
    // Side by side, because they mostly wait.
    const outcomes = await allOver([
      eachAlone(manner, options),
      eachFailover(manner, options),
      mixed(manner, 15, options).then((one) => [one]),
    ]);
    assertEquals(problems(outcomes.flat()), [], `with the seed ${seed}`);
  });
}

for (const manner of MANNERS) {
  Deno.test(`mixed for a minute (${describe(manner)}): nothing is lost in silence`, async () => {
    // Side by side, because they mostly wait.
    const outcomes = await allOver([
      mixed(manner, 60, { seed }),
      mixedFailovers(manner, 60, { seed }),
    ]);
    assertEquals(problems(outcomes), [], `with the seed ${seed}`);
  });
}
