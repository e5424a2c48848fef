import { ServerError } from "../../resp/mod.ts";

/**
 * Whether a server refuses a command only for now: it is loading its data, or it is running a script
 * or a function.
 */
export function isBusy(error: unknown): boolean {
  return error instanceof ServerError && (error.code === "LOADING" || error.code === "BUSY");
}
