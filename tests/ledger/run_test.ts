/** A server's faults, each once; more of all is in `run_long_test.ts`. */
import { assertEquals } from "@std/assert";
import { FAILOVERS } from "./failovers.ts";
import { FAULTS } from "./faults.ts";
import { assertHarmless } from "./harmless.ts";
import { allOver, eachAlone, eachFailover, mixed, MODES, problems } from "./scenarios.ts";

Deno.test("everything is delivered or lies in an honest gap", async () => {
  const options = { seed: 1 };
  const [alone, failovers, together] = await allOver([
    eachAlone(MODES[0]!, { ...options, once: true }),
    eachFailover(MODES[1]!, options, FAILOVERS.slice(0, 1)),
    mixed(MODES[2]!, 5, options).then((one) => [one]),
  ]);
  assertHarmless(alone!, FAULTS);
  assertHarmless(failovers!, FAILOVERS.slice(0, 1));
  assertEquals(problems(together!), []);
});
