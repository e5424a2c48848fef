/**
 * The ledger of `tests/ledger/`, with the packed package watching in each runtime.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { allOver, describe, eachAlone, MANNERS, mixed, problems } from "../ledger/scenarios.ts";
import { anySeed } from "../ledger/seed.ts";
import { makeApplication } from "./package.ts";
import { findBun, findDeno, findNode } from "./programs.ts";
import { RemoteWatcher } from "./remote_watcher.ts";

let folder: string;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  await makeApplication(folder);
});

Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
});

const seed = anySeed();

for (
  const [index, [name, find]] of ([
    ["Node", findNode],
    ["Bun", findBun],
    ["Deno", () => findDeno([])],
  ] as const).entries()
) {
  // Plain and by TLS, RESP3 and RESP2, a loop and a handler.
  const manner = MANNERS[index]!;
  const other = MANNERS[(index + 2) % MANNERS.length]!;

  Deno.test(`${name}: everything is delivered or lies in an honest gap (${describe(manner)}; ${describe(other)})`, async () => {
    const program = await find();
    const options = {
      seed,
      rate: 300,
      watch: (options: Parameters<typeof RemoteWatcher.start>[0]) =>
        RemoteWatcher.start(options, program, folder),
    };
    const outcomes = await allOver([
      eachAlone(manner, options),
      mixed(other, 20, options).then((one) => [one]),
    ]);
    assertEquals(problems(outcomes.flat()), [], `with the seed ${seed}`);
  });
}
