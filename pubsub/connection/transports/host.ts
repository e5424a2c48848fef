/** What is used of `node:diagnostics_channel`. */
interface Diagnostics {
  channel(name: string): { readonly hasSubscribers: boolean; publish(message: unknown): void };
}

/** What is used of the runtimes. */
interface Host {
  readonly process?: {
    readonly env?: { readonly [name: string]: string | undefined };
    /** Newer than the other: a module by its name, without an import that bundlers would follow. */
    getBuiltinModule?(name: string): unknown;
  };
  readonly Deno?: {
    readonly permissions?: {
      querySync?(what: { name: "env"; variable: string }): { readonly state: string };
    };
  };
}

const VARIABLE = "KEYWATCH_DEBUG";

/** The diagnostics channels of the runtime; null if it has none. */
export function diagnosticsChannels(): Diagnostics | null {
  try {
    const found = (globalThis as Host).process?.getBuiltinModule?.("node:diagnostics_channel");
    return (found as Diagnostics | undefined) ?? null;
  } catch {
    return null;
  }
}

/** Whether the environment variable `KEYWATCH_DEBUG` is set. Deno is not made to ask for a permission. */
export function isDebugRequested(): boolean {
  const { Deno, process } = globalThis as Host;
  try {
    const permission = Deno?.permissions?.querySync?.({ name: "env", variable: VARIABLE });
    if (permission !== undefined && permission.state !== "granted") return false;
    const value = process?.env?.[VARIABLE];
    return value !== undefined && value !== "" && value !== "0";
  } catch {
    return false;
  }
}
