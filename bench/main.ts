/**
 * `deno task bench NAME` runs the benchmark in the folder of that name, `deno task bench all` one
 * after another. `--quick` shows that one runs, and writes nothing down.
 */
const names: string[] = [];
for (const { name, isDirectory } of Deno.readDirSync(new URL(".", import.meta.url))) {
  if (!isDirectory) continue;
  const main = new URL(`./${name}/main.ts`, import.meta.url);
  // Others hold what the benchmarks share.
  if (await Deno.stat(main).then(() => true, () => false)) names.push(name);
}
names.sort();

const [chosen, ...args] = Deno.args;
if (chosen === undefined || ![...names, "all"].includes(chosen)) {
  console.error(`Usage: deno task bench NAME, where NAME is one of: all, ${names.join(", ")}`);
  Deno.exit(1);
}
for (const name of chosen === "all" ? names : [chosen]) {
  const { main }: { main(args: string[]): Promise<void> } = await import(`./${name}/main.ts`);
  await main(args);
}
