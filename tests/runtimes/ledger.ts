import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { allOver, describe, eachAlone, mixed, MODES, problems } from "../ledger/scenarios.ts";
import { RemoteWatcher, SCRIPT } from "../ledger/remote_watcher.ts";
import { applicationOfTests } from "./package.ts";
import { findBun, findDeno, findNode } from "./programs.ts";

/**
 * Registers a test of each runtime: the ledger, with the packed package watching.
 *
 * @param seconds for how long faults are mixed
 * @param alone whether each fault also happens by itself
 */
export function testLedger(
  { seed, seconds, alone }: { seed: number; seconds: number; alone: boolean },
): void {
  const application = applicationOfTests();
  const script = () => join(application.folder, "watch.mjs");

  Deno.test.beforeAll(async () => {
    await Deno.copyFile(SCRIPT, script());
  });

  for (
    const [index, [name, find]] of ([
      ["Node", findNode],
      ["Bun", findBun],
      ["Deno", () => findDeno([])],
    ] as const).entries()
  ) {
    // Plain and by TLS, RESP3 and RESP2, a loop and a handler.
    const mode = MODES[index]!;
    const other = MODES[(index + 2) % MODES.length]!;

    Deno.test(`${name}: everything is delivered or lies in an honest gap (${describe(mode)}; ${describe(other)})`, async () => {
      const program = await find();
      const options = {
        seed,
        rate: 300,
        watch: (options: Parameters<typeof RemoteWatcher.start>[0]) =>
          RemoteWatcher.start(options, program, script()),
      };
      const outcomes = await allOver([
        alone ? eachAlone(mode, options) : Promise.resolve([]),
        mixed(other, seconds, options).then((one) => [one]),
      ]);
      assertEquals(problems(outcomes.flat()), [], `with the seed ${seed}`);
    });
  }
}
