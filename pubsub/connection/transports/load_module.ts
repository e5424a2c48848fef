import { UnsupportedError } from "../errors.ts";

/**
 * Loads a module of the runtime, so that the types of no runtime are needed.
 *
 * Bundlers would resolve a literal in its place: where the runtime they bundle for lacks the module,
 * some fail and some warn. The comments say that the expression is meant.
 *
 * @param name such as `node:net`
 * @param code of the error if the runtime has no such module
 */
export async function loadModule<Module>(
  name: string,
  code: UnsupportedError["code"],
): Promise<Module> {
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  } catch (cause) {
    throw new UnsupportedError(
      code,
      `Cannot open a connection: this runtime has no ${name}; give a dial option`,
      { cause },
    );
  }
}
