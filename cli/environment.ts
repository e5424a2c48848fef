import process from "node:process";

/** The part of Deno's API used here. */
interface DenoPermissions {
  readonly permissions: {
    querySync(what: { name: "env"; variable: string }): { readonly state: string };
  };
}

const { Deno: deno } = globalThis as { Deno?: DenoPermissions };

/**
 * The value of an environment variable; undefined when it is not set or empty, and in Deno also when
 * it may not be read, which is not asked for.
 */
export function readVariable(variable: string): string | undefined {
  const isReadable = deno === undefined ||
    deno.permissions.querySync({ name: "env", variable }).state === "granted";
  return isReadable ? process.env[variable] || undefined : undefined;
}
