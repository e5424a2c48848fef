import type { DenoConfig } from "../project.ts";

/** The name of the package on npm. */
export const NAME = "keywatch";

/** The module that is the command line tool. */
export const TOOL = "cli/bin.ts";

/** The module that finds out at run time which transport there is. */
const RUNTIME = "pubsub/connection/transports/runtime.ts";

/** An import that the package.json answers by the conditions of a runtime or a bundler. */
export const CONDITIONAL: { readonly name: string; readonly module: string } = {
  name: "#transport",
  module: RUNTIME,
};

/**
 * The transports by condition. A bundle that is made for no known runtime may run in any, so it finds
 * out. Deno has the condition `node`, too.
 */
const TRANSPORTS = {
  workerd: "pubsub/connection/transports/cloudflare.ts",
  deno: "pubsub/connection/transports/deno.ts",
  default: RUNTIME,
} as const;

/** The path of what a module is compiled to, as a package names its own files. */
export function compiledPath(module: string, extension: ".js" | ".d.ts"): string {
  return module.replace(/\.ts$/, extension);
}

/**
 * The package.json.
 *
 * @param config what JSR is told
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
  const transports = Object.entries(TRANSPORTS).map(([condition, module]) => [
    condition,
    `./${compiledPath(module, ".js")}`,
  ]);
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
    ...(repository ? { repository: { type: "git", url: repository } } : {}),
    type: "module",
    engines: { node: ">=20" },
    sideEffects: false,
    exports: { ...Object.fromEntries(entries), "./package.json": "./package.json" },
    imports: { [CONDITIONAL.name]: Object.fromEntries(transports) },
    bin: { [NAME]: compiledPath(TOOL, ".js") },
    // npm rejects a package that asks for provenance and names no repository.
    publishConfig: { access: "public", ...(repository ? { provenance: true } : {}) },
  };
}
