/** Where a file belongs, by the beginning of its path; the first that fits counts. */
export interface Layer {
  path: string;
  /** The layers it may import, besides itself. Anything at all if absent. */
  imports?: string[];
  /** Whether it may name a runtime, and import a runtime's own modules. */
  runtime: boolean;
  /**
   * Whether it is a program of somebody who uses the library: then it may import packages from npm,
   * and `node:` modules, which every runtime has. It is not published.
   */
  program?: boolean;
}

/** All layers; `docs/architecture.md` has the same table. */
export const LAYERS: readonly Layer[] = [
  { path: "bytes/", imports: [], runtime: false },
  { path: "resp/", imports: ["bytes/"], runtime: false },
  { path: "parse/", imports: ["bytes/"], runtime: false },
  { path: "events/", imports: ["parse/"], runtime: false },
  {
    path: "pubsub/connection/transports/",
    imports: ["pubsub/connection/"],
    runtime: true,
  },
  {
    path: "pubsub/connection/",
    imports: ["pubsub/connection/transports/", "bytes/", "resp/", "parse/", "events/"],
    runtime: false,
  },
  {
    path: "pubsub/standby/",
    imports: ["pubsub/", "pubsub/connection/", "bytes/", "resp/", "parse/", "events/"],
    runtime: false,
  },
  {
    path: "pubsub/sentinel/",
    imports: ["pubsub/", "pubsub/connection/", "pubsub/connection/transports/", "resp/"],
    runtime: false,
  },
  {
    path: "pubsub/",
    imports: [
      "pubsub/connection/",
      "pubsub/connection/transports/",
      "pubsub/sentinel/",
      "pubsub/standby/",
      "bytes/",
      "resp/",
      "parse/",
      "events/",
    ],
    runtime: false,
  },
  { path: "cluster/discovery/", imports: ["bytes/", "resp/", "parse/"], runtime: false },
  {
    path: "cluster/migration/",
    imports: ["cluster/discovery/", "bytes/", "events/"],
    runtime: false,
  },
  {
    path: "cluster/",
    imports: [
      "cluster/discovery/",
      "cluster/migration/",
      "pubsub/",
      "pubsub/standby/",
      "pubsub/connection/",
      "resp/",
      "parse/",
    ],
    runtime: false,
  },
  {
    path: "mod.ts",
    // Not events/: bundlers load with `connect` whatever is exported here.
    imports: ["cluster/", "cluster/discovery/", "pubsub/", "resp/", "parse/"],
    runtime: false,
  },
  {
    path: "cli/",
    imports: ["mod.ts", "cluster/discovery/", "pubsub/", "pubsub/connection/", "events/", "resp/"],
    runtime: true,
  },
  // It shows the library over the sockets of a runtime.
  {
    path: "examples/discover_sockets.ts",
    imports: ["mod.ts", "cluster/discovery/", "resp/"],
    runtime: true,
    program: true,
  },
  // They import the package by its name on npm, and frameworks.
  { path: "examples/frameworks/", runtime: true },
  {
    path: "examples/",
    imports: ["mod.ts", "events/", "pubsub/connection/", "cluster/discovery/", "resp/", "cli/"],
    runtime: false,
    program: true,
  },
  { path: "bench/", runtime: true },
  { path: "dev/", runtime: true },
  { path: "tests/", runtime: true },
];

/** The layer of a file, given by its path from the project's folder. */
export function layerOf(file: string): Layer | undefined {
  return LAYERS.find(({ path }) => path.endsWith("/") ? file.startsWith(path) : file === path);
}

/** Whether the package holds this file. */
export function isPublished(file: string): boolean {
  const layer = layerOf(file);
  return layer?.imports !== undefined && !layer.program;
}
