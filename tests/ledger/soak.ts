/**
 * The task `soak`: each fault alone and then all mixed, for ten minutes or `--seconds=…`, the mixed
 * part shared between the manners of watching. `--seed=…` repeats a run's random numbers. With
 * `--write` the figures go into docs/reliability.md. Ends with 1 when anything is amiss.
 */
import { join } from "node:path";
import { ensureServer } from "../servers/mod.ts";
import {
  allOver,
  describe,
  eachAlone,
  eachFailover,
  MANNERS,
  mixed,
  mixedFailovers,
  type Named,
  problems,
} from "./scenarios.ts";
import { fillIn, table } from "./table.ts";

const DOCUMENT = join(import.meta.dirname!, "..", "..", "docs", "reliability.md");

function option(name: string): number | undefined {
  const given = Deno.args.find((argument) => argument.startsWith(`--${name}=`));
  return given === undefined ? undefined : Number(given.slice(name.length + 3));
}

const seed = option("seed") ?? crypto.getRandomValues(new Uint32Array(1))[0]!;
const seconds = option("seconds") ?? 600;
const binary = await ensureServer({ progress: (message) => console.error(message) });
console.error(`${binary.product} ${binary.version}, seed ${seed}`);

const alone: Named[] = [];
const together: Named[] = [];
for (const manner of MANNERS) {
  console.error(`${describe(manner)}: each fault alone …`);
  alone.push(...await eachAlone(manner, { seed, binary }));
  alone.push(...await eachFailover(manner, { seed, binary }));
}
for (const manner of MANNERS) {
  const part = seconds / MANNERS.length;
  console.error(`${describe(manner)}: faults mixed for ${part} s …`);
  const options = { seed, binary };
  together.push(
    ...await allOver([mixed(manner, part, options), mixedFailovers(manner, part, options)]),
  );
}

const runs = [
  ...alone,
  ...together.map(({ name, outcome }) => ({ name: `all mixed (${name})`, outcome })),
];
const figures =
  `${binary.product} ${binary.version}, faults mixed for ${seconds} s, seed ${seed}:\n\n` +
  table(runs);
console.log(figures);
if (Deno.args.includes("--write")) {
  const document = await Deno.readTextFile(DOCUMENT);
  await Deno.writeTextFile(DOCUMENT, fillIn(document, "ledger", figures));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", DOCUMENT] }).output();
}
const found = problems(runs);
for (const problem of found) console.error(problem);
Deno.exit(found.length === 0 ? 0 : 1);
