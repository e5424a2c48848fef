/**
 * The task `soak`: each fault alone and then all mixed, for ten minutes or `--seconds=…`, the mixed
 * part shared between the modes of watching. With `--cluster` what happens to clusters, on each
 * kind of server, or those whose name and version begin as `--server=…` says, each alone and then all
 * mixed for two minutes, or as many seconds. `--seed=…` repeats a run's random numbers. With
 * `--write` the figures go into docs/proof.md. Ends with 1 when anything is amiss.
 */
import { anySeed } from "../random.ts";
import { join } from "node:path";
import { ensureServer, matrix } from "../servers/mod.ts";
import { eachOnCluster, mixedOnCluster } from "./cluster_scenarios.ts";
import {
  allOver,
  describe,
  eachAlone,
  eachFailover,
  mixed,
  mixedFailovers,
  MODES,
  type Named,
  problems,
} from "./scenarios.ts";
import { filledIn, fillIn, mergeFigures, table } from "./table.ts";

const DOCUMENT = join(import.meta.dirname!, "..", "..", "docs", "proof.md");

function text(name: string): string | undefined {
  const given = Deno.args.find((argument) => argument.startsWith(`--${name}=`));
  return given?.slice(name.length + 3);
}

function option(name: string): number | undefined {
  const given = text(name);
  return given === undefined ? undefined : Number(given);
}

const seed = option("seed") ?? anySeed();
const progress = (message: string) => console.error(message);

/** What a soak came to. */
interface Soaked {
  readonly runs: readonly Named[];
  readonly figures: string;
}

async function soakServer(seconds: number): Promise<Soaked> {
  const binary = await ensureServer({ progress });
  progress(`${binary.product} ${binary.version}, seed ${seed}`);
  const options = { seed, binary };
  const alone: Named[] = [];
  const together: Named[] = [];
  for (const mode of MODES) {
    progress(`${describe(mode)}: each fault alone …`);
    alone.push(...await eachAlone(mode, options), ...await eachFailover(mode, options));
  }
  for (const mode of MODES) {
    const part = seconds / MODES.length;
    progress(`${describe(mode)}: faults mixed for ${part} s …`);
    together.push(
      ...await allOver([mixed(mode, part, options), mixedFailovers(mode, part, options)]),
    );
  }
  const runs = [...alone, ...together.map(nameMixed)];
  const title = `${binary.product} ${binary.version}, faults mixed for ${seconds} s, seed ${seed}`;
  return { runs, figures: `${title}:\n\n${table(runs)}` };
}

async function soakClusters(seconds: number): Promise<Soaked> {
  const soaked: Soaked[] = [];
  for (const binary of await matrix({ progress })) {
    const name = `${binary.product} ${binary.version}`;
    // What 8.0 does on clusters, the others do too.
    if (name.startsWith("redis 8.0.") || !name.startsWith(text("server") ?? "")) continue;
    const options = { seed, binary };
    const runs: Named[] = [];
    for (const mode of MODES.slice(0, 2)) {
      progress(`${name}, ${describe(mode)}: each alone …`);
      runs.push(...await eachOnCluster(mode, options, 2));
    }
    progress(`${name}: mixed for ${seconds} s …`);
    runs.push(nameMixed(await mixedOnCluster(MODES[0]!, seconds, options)));
    soaked.push({
      runs: runs.map((run) => ({ ...run, name: `${name}, ${run.name}` })),
      figures: `${name}, mixed for ${seconds} s, seed ${seed}:\n\n${table(runs)}`,
    });
  }
  return {
    runs: soaked.flatMap(({ runs }) => runs),
    figures: soaked.map(({ figures }) => figures).join("\n"),
  };
}

function nameMixed(run: Named): Named {
  return { ...run, name: `all mixed (${run.name})` };
}

const isCluster = Deno.args.includes("--cluster");
const { runs, figures } =
  await (isCluster ? soakClusters(option("seconds") ?? 120) : soakServer(option("seconds") ?? 600));
console.log(figures);
if (Deno.args.includes("--write")) {
  const document = await Deno.readTextFile(DOCUMENT);
  const filled = isCluster
    ? fillIn(
      document,
      "cluster ledger",
      mergeFigures(filledIn(document, "cluster ledger"), figures),
    )
    : fillIn(document, "ledger", figures);
  await Deno.writeTextFile(DOCUMENT, filled);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", DOCUMENT] }).output();
}
const found = problems(runs);
for (const problem of found) console.error(problem);
Deno.exit(found.length === 0 ? 0 : 1);
