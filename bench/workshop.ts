import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun, findEsbuild, findNode, type Program } from "../tests/runtimes/programs.ts";
import { run } from "../tests/servers/run.ts";

/** A runtime that the benchmarks run in. */
export interface Runtime {
  /** Its name and version. */
  readonly name: string;
  /** Runs a script, whose name and arguments follow. */
  readonly program: Program;
}

const BENCH = fileURLToPath(new URL(".", import.meta.url));

/** A folder with the peers from npm, in which programs run that are bundled beside them. */
export class Workshop implements AsyncDisposable {
  /** Where everything is. */
  readonly folder: string;
  /** Deno, Node and Bun. */
  readonly runtimes: readonly Runtime[];

  private constructor(folder: string, runtimes: readonly Runtime[]) {
    this.folder = folder;
    this.runtimes = runtimes;
  }

  /** @param packages from npm, each as `name@version` */
  static async open(packages: readonly string[]): Promise<Workshop> {
    const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
    const workshop = new Workshop(folder, await findRuntimes(folder));
    try {
      await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true }\n');
      const install = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund"];
      if (packages.length > 0) await must([...install, "--save-exact", ...packages], folder);
      return workshop;
    } catch (error) {
      await workshop[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The runtimes that arguments name, or all. */
  chosen(args: readonly string[]): readonly Runtime[] {
    const named = this.runtimes.filter(({ name }) => args.includes(name.split(" ")[0]!));
    return named.length > 0 ? named : this.runtimes;
  }

  /**
   * Bundles a program of this folder, packages left out.
   *
   * @param source below `bench/`
   * @param options the bundler's
   * @returns the bundle's name in the folder
   */
  async bundle(source: string, ...options: string[]): Promise<string> {
    const name = source.replaceAll("/", "_").replace(/\.ts$/, ".mjs");
    const always = [
      ...["--bundle", "--format=esm", "--platform=node", "--packages=external"],
      // Which Node 20 has not.
      "--supported:using=false",
    ];
    const output = `--outfile=${join(this.folder, name)}`;
    const esbuild = await findEsbuild();
    await must([...esbuild, join(BENCH, source), ...always, ...options, output], this.folder);
    return name;
  }

  /** A module with all it imports, as small as the bundler makes it. */
  async minified(file: string, platform: string): Promise<Uint8Array> {
    const output = join(this.folder, "minified.mjs");
    const options = ["--bundle", "--minify", "--format=esm", `--platform=${platform}`];
    await must([...await findEsbuild(), file, ...options, `--outfile=${output}`], this.folder);
    return await Deno.readFile(output);
  }

  /** Packs this package as it is published, and installs that. */
  async installOwn(): Promise<void> {
    const tarball = join(this.folder, "package.tgz");
    const pack = ["pack", "--allow-dirty", "--no-source-maps", "-o", tarball];
    await must([Deno.execPath(), ...pack], join(BENCH, ".."));
    const install = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", tarball];
    await must(install, this.folder);
  }

  /** Runs a bundled program, and takes the last line it prints as JSON. */
  async run<T>({ program }: Runtime, name: string, ...args: string[]): Promise<T> {
    const output = await must([...program, name, ...args], this.folder);
    return JSON.parse(output.trimEnd().split("\n").at(-1)!);
  }

  /** Runs a bundled program, and gives each line it prints, as JSON, as it comes. */
  async *lines<T>({ program }: Runtime, name: string, ...args: string[]): AsyncGenerator<T> {
    const [file, ...options] = program;
    const command = new Deno.Command(file, {
      args: [...options, name, ...args],
      cwd: this.folder,
      stdin: "null",
      stdout: "piped",
    });
    await using child = command.spawn();
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line);
    }
    const { code } = await child.status;
    if (code !== 0) throw new Error(`\`${program.join(" ")} ${name}\` ended with ${code}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function findRuntimes(folder: string): Promise<Runtime[]> {
  const all: [name: string, program: Program][] = [
    ["Deno", [Deno.execPath(), "run", "--allow-all", "--no-lock", "--node-modules-dir=manual"]],
    ["Node", await findNode()],
    ["Bun", await findBun()],
  ];
  return await Promise.all(all.map(async ([name, program]) => {
    const said = await must([program[0], "--version"], folder);
    return { name: `${name} ${/\d+\.\d+\.\d+/.exec(said)?.[0]}`, program };
  }));
}

async function must(command: string[], cwd: string): Promise<string> {
  const { code, stdout, output } = await run(command, { cwd });
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}:\n${output}`);
  return stdout;
}
