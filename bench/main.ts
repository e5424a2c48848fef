/** `deno task bench NAME` runs the benchmark in the folder of that name. */
const names = [...Deno.readDirSync(new URL(".", import.meta.url))]
  .filter((entry) => entry.isDirectory)
  .map((entry) => entry.name)
  .sort();

const [name, ...args] = Deno.args;
if (name === undefined || !names.includes(name)) {
  console.error(`Usage: deno task bench NAME, where NAME is one of: ${names.join(", ")}`);
  Deno.exit(1);
}
const { main }: { main(args: string[]): Promise<void> } = await import(`./${name}/main.ts`);
await main(args);
