import { join } from "node:path";
import { ROOT } from "../project.ts";

/** A scenario of `examples/`. */
export interface Example {
  readonly name: string;
  /** The path of its program, from the project's folder. */
  readonly file: string;
  /** The first sentence of what it says of itself. */
  readonly title: string;
}

/** What several examples import, and no scenarios themselves. */
const SHARED = ["local_server.ts", "redis.ts"];

/** The names of the programs of those that have a folder. */
const PROGRAMS = ["main.ts", "worker.ts"];

/** All examples, by name. */
export async function listExamples(): Promise<Example[]> {
  const found: Example[] = [];
  for await (const entry of Deno.readDir(join(ROOT, "examples"))) {
    if (SHARED.includes(entry.name)) continue;
    const names = entry.isDirectory
      ? PROGRAMS.map((name) => `${entry.name}/${name}`)
      : [entry.name];
    for (const one of names) {
      const file = `examples/${one}`;
      const text = await Deno.readTextFile(join(ROOT, file)).catch(() => null);
      if (text !== null) {
        found.push({ name: entry.name.replace(/\.ts$/, ""), file, title: titleOf(text) });
      }
    }
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

function titleOf(text: string): string {
  const [, comment = ""] = /^\/\*\*\n(.*?)\*\//s.exec(text) ?? [];
  const words = comment.replace(/^ \* ?/gm, "").replace(/\s+/g, " ").trim();
  return /^.*?(?=[.:;](?: |$))/.exec(words)?.[0] ?? words;
}
