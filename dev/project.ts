import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

export interface DenoConfig {
  name: string;
  version: string;
  license: string;
  exports: Record<string, string>;
  compilerOptions?: Record<string, unknown>;
  lint?: unknown;
}

export async function readConfig(root: string = ROOT): Promise<DenoConfig> {
  return JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
}

/** Folders without sources of the project. */
const GENERATED = ["node_modules", "dist"];

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx)$/;

/** Every source file under a folder, as paths relative to it with `/` between, in order. */
export async function sourceFiles(root: string = ROOT): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) {
        if (!GENERATED.includes(entry.name) && !entry.name.startsWith(".")) await walk(path);
      } else if (SOURCE.test(entry.name)) {
        found.push(relative(root, path).split(sep).join("/"));
      }
    }
  };
  await walk(root);
  return found.sort();
}

/** What a check of this project finds wrong, at a line of a file. */
export interface Problem {
  file: string;
  line: number;
  reason: string;
}

/** Prints `file:line: reason` for each problem; the exit status says whether there was one. */
export function reportAndExit(problems: Problem[]): never {
  for (const { file, line, reason } of problems) console.error(`${file}:${line}: ${reason}`);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
