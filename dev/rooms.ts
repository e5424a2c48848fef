/** Where a file belongs, by the beginning of its path; the first that fits counts. */
export interface Room {
  path: string;
  /** The rooms it may import, besides itself. Anything at all if absent. */
  imports?: string[];
  /** Whether it may name a runtime, and import a runtime's own modules. */
  runtime: boolean;
}

const ROOMS: Room[] = [
  { path: "resp/", imports: [], runtime: false },
  { path: "parse/", imports: [], runtime: false },
  { path: "pubsub/transports/", imports: ["pubsub/", "resp/", "parse/"], runtime: true },
  { path: "pubsub/", imports: ["pubsub/transports/", "resp/", "parse/"], runtime: false },
  { path: "cluster/", imports: ["pubsub/", "resp/", "parse/"], runtime: false },
  { path: "mod.ts", imports: ["cluster/", "pubsub/", "resp/", "parse/"], runtime: false },
  { path: "cli/", imports: ["mod.ts"], runtime: true },
  { path: "examples/", runtime: false },
  { path: "bench/", runtime: true },
  { path: "dev/", runtime: true },
  { path: "tests/", runtime: true },
];

/** The room of a file, given by its path from the project's folder. */
export function roomOf(file: string): Room | undefined {
  return ROOMS.find(({ path }) => path.endsWith("/") ? file.startsWith(path) : file === path);
}
