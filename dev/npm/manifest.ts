import type { DenoConfig } from "../project.ts";

/** The name of the package on npm. */
export const NAME = "keywatch";

/** The module that is the command line tool. */
export const TOOL = "cli/bin.ts";

/** Imports of modules, in place of which the package.json names others by condition. */
export const CONDITIONAL: readonly {
  /** The name of the import in the package. */
  readonly name: string;
  /** The module that the code imports: the one for every runtime without a condition. */
  readonly module: string;
  readonly conditions: Readonly<Record<string, string>>;
}[] = [
  {
    name: "#transport",
    // Finds out at run time which transport there is. Deno has the condition `node`, too.
    module: "pubsub/connection/transports/mod.ts",
    conditions: {
      workerd: "pubsub/connection/transports/cloudflare.ts",
      deno: "pubsub/connection/transports/deno.ts",
    },
  },
];

/** The path of what a module is compiled to, as a package names its own files. */
export function compiledPath(module: string, extension: ".js" | ".d.ts"): string {
  return module.replace(/\.ts$/, extension);
}

/** Where the package comes from, and where its users find its page and report errors. */
function originOf(url: string): Record<string, unknown> {
  const page = /^(?:git\+)?(https:\/\/.+?)(?:\.git)?\/?$/.exec(url)?.[1];
  return {
    repository: { type: "git", url },
    ...(page === undefined ? {} : { homepage: `${page}#readme`, bugs: { url: `${page}/issues` } }),
  };
}

/**
 * The package.json.
 *
 * @param config the configuration for JSR
 * @param repository the URL of the repository it is published from; without it the package asks for
 * no provenance, which npm attests only for a package that names its repository
 */
export function manifest(
  { version, license, exports }: DenoConfig,
  repository?: string,
): Record<string, unknown> {
  const entries = Object.entries(exports).map(([name, module]) => [name, {
    types: compiledPath(module, ".d.ts"),
    default: compiledPath(module, ".js"),
  }]);
  const typesOfEntries = Object.entries(exports).filter(([name]) => name !== ".")
    .map(([name, module]) => [name.slice("./".length), [compiledPath(module, ".d.ts")]]);
  const imports = CONDITIONAL.map(({ name, module, conditions }) => {
    const modules = Object.entries({ ...conditions, default: module });
    const paths = modules.map(([condition, path]) => [condition, `./${compiledPath(path, ".js")}`]);
    return [name, Object.fromEntries(paths)];
  });
  return {
    name: NAME,
    version,
    description:
      "Redis and Valkey keyspace notifications: every event is delivered, or the gap it fell into is reported",
    keywords: [
      "redis",
      "valkey",
      "keyspace",
      "notifications",
      "keyevent",
      "expired",
      "pubsub",
      "resp3",
      "cluster",
      "deno",
      "bun",
      "workers",
    ],
    license,
    ...(repository ? originOf(repository) : {}),
    type: "module",
    engines: { node: ">=20" },
    sideEffects: false,
    // For resolution without `exports`, such as TypeScript's `node10`.
    main: compiledPath(exports["."]!, ".js"),
    types: compiledPath(exports["."]!, ".d.ts"),
    typesVersions: { "*": Object.fromEntries(typesOfEntries) },
    exports: { ...Object.fromEntries(entries), "./package.json": "./package.json" },
    imports: Object.fromEntries(imports),
    bin: { [NAME]: compiledPath(TOOL, ".js") },
    // npm rejects a package that asks for provenance and names no repository.
    publishConfig: { access: "public", ...(repository ? { provenance: true } : {}) },
  };
}
