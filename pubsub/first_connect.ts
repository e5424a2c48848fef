import { CodedError } from "./connection/errors.ts";
import { delay } from "./connection/timers.ts";
import { shielded } from "./connection/options.ts";
import type { ConnectOptions } from "./options.ts";
import { backoff } from "./retries.ts";

/** The codes of failures of servers that may just be starting. */
const PASSING: readonly string[] = [
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "NOT_CONNECTED",
  "TOPOLOGY_UNAVAILABLE",
  "PRIMARY_UNKNOWN",
  "SENTINELS_UNREACHABLE",
];

/**
 * Connects, and tries again with backoff while the server, the cluster or the sentinels are not there
 * yet.
 *
 * @param options of which `waitOnFirstConnect` is set
 * @param connect makes one attempt
 * @throws what the last attempt failed with
 */
export async function keepTrying<Options extends ConnectOptions, T>(
  options: Options,
  connect: (options: Options) => Promise<T>,
): Promise<T> {
  const { waitOnFirstConnect: wait, signal = new AbortController().signal } = options;
  const deadline = performance.now() + (typeof wait === "number" ? wait : Infinity);
  const warn = shielded(
    options.onWarning ?? ((message: string) => console.warn(`keywatch: ${message}`)),
  );
  for (let failed = 1;; failed++) {
    try {
      return await connect({ ...options, waitOnFirstConnect: undefined });
    } catch (error) {
      const left = deadline - performance.now();
      if (signal.aborted || left <= 0 || !isPassing(error)) throw error;
      if (failed === 1) warn(`trying on until there is a server: ${error.message}`);
      await delay(Math.min(left, backoff(failed)), signal);
    }
  }
}

function isPassing(error: unknown): error is CodedError<string> {
  return error instanceof CodedError &&
    (PASSING.includes(error.code) || error.name === "TimeoutError" ||
      /\b(?:LOADING|MASTERDOWN|CLUSTERDOWN)\b/.test(error.message));
}
