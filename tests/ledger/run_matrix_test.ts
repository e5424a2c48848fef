import { assertEquals } from "@std/assert";
import { matrix } from "../servers/mod.ts";
import { describe, eachAlone, MANNERS, mixed, problems } from "./scenarios.ts";

const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
const servers = await matrix({ progress: (message) => console.error(message) });

for (const [index, binary] of servers.entries()) {
  const server = `${binary.product} ${binary.version}`;
  const manner = MANNERS[(index + 2) % MANNERS.length]!;

  Deno.test(`${server}, each fault alone: delivered or in an honest gap (${describe(manner)})`, async () => {
    assertEquals(problems(await eachAlone(manner, { seed, binary })), [], `with the seed ${seed}`);
  });

  Deno.test(`${server}, faults mixed: delivered or in an honest gap (${describe(manner)})`, async () => {
    const outcome = await mixed(manner, 15, { seed, binary });
    assertEquals(problems([outcome]), [], `with the seed ${seed}`);
  });
}

for (const manner of MANNERS.slice(0, 2)) {
  Deno.test(`faults mixed for a minute: delivered or in an honest gap (${describe(manner)})`, async () => {
    assertEquals(problems([await mixed(manner, 60, { seed })]), [], `with the seed ${seed}`);
  });
}
