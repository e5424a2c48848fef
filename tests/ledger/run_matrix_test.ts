import { assertEquals } from "@std/assert";
import { matrix } from "../servers/mod.ts";
import {
  allOver,
  describe,
  eachAlone,
  eachFailover,
  mixed,
  mixedFailovers,
  MODES,
  problems,
} from "./scenarios.ts";
import { anySeed } from "../random.ts";

const seed = anySeed();
const servers = await matrix({ progress: (message) => console.error(message) });

for (const [index, binary] of servers.entries()) {
  const mode = MODES[(index + 2) % MODES.length]!;
  const name = `${binary.product} ${binary.version} (${describe(mode)})`;

  Deno.test(`${name}: everything is delivered or lies in an honest gap`, async () => {
    const options = { seed, binary };
    // Side by side, because they mostly wait.
    const outcomes = await allOver([
      eachAlone(mode, options),
      eachFailover(mode, options),
      mixed(mode, 15, options).then((one) => [one]),
    ]);
    assertEquals(problems(outcomes.flat()), [], `with the seed ${seed}`);
  });
}

for (const mode of MODES) {
  Deno.test(`mixed for a minute (${describe(mode)}): nothing is lost in silence`, async () => {
    // Side by side, because they mostly wait.
    const outcomes = await allOver([
      mixed(mode, 60, { seed }),
      mixedFailovers(mode, 60, { seed }),
    ]);
    assertEquals(problems(outcomes), [], `with the seed ${seed}`);
  });
}
