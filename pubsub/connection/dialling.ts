import { formatAddress } from "./address.ts";
import { ConnectError, TimeoutError, UnsupportedError } from "./errors.ts";
import { reasonOf } from "./printable.ts";
import type { Secrets } from "./secrets.ts";
import type { Address, Dial, Transport } from "./transport.ts";

/**
 * Dials, within a deadline.
 *
 * @param timeout how long it may take, in ms
 * @param signal gives it up
 * @param secrets what no message may hold
 * @throws {ConnectError} when nothing answers there
 * @throws {TimeoutError} when it takes longer
 * @throws {UnsupportedError} when this runtime cannot do what was asked of it
 * @throws the signal's reason
 */
export async function dialWithin(
  timeout: number,
  dial: Dial,
  address: Address,
  signal: AbortSignal,
  secrets: Secrets,
): Promise<Transport> {
  signal.throwIfAborted();
  const server = formatAddress(address);
  const attempt = new AbortController();
  const giveUp = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  const timer = setTimeout(() => {
    attempt.abort(
      new TimeoutError(
        "CONNECT_TIMEOUT",
        `Cannot connect to ${server}: nothing answered within ${timeout} ms; check the address, ` +
          "the firewall, and whether TLS is spoken there",
        timeout,
        { server },
      ),
    );
  }, timeout);
  try {
    return await dialOrGiveUp(dial, address, attempt.signal);
  } catch (thrown) {
    if (attempt.signal.aborted) throw attempt.signal.reason;
    const cause = secrets.ownError(thrown);
    if (cause instanceof ConnectError || cause instanceof UnsupportedError) throw cause;
    throw new ConnectError(
      "CONNECT_FAILED",
      `Cannot connect to ${server}: ${reasonOf(cause)}${adviceFor(cause)}`,
      { server, cause },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/** Dials, and does not wait for a dial that takes no notice of its signal. */
function dialOrGiveUp(dial: Dial, address: Address, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    Promise.resolve(dial(address, { signal })).then((transport) => {
      checkTransport(transport);
      if (signal.aborted) transport.close();
      else resolve(transport);
    }).catch(reject);
  });
}

/** Sees that what the caller's own dial gave can be read, written and closed. */
function checkTransport(transport: Transport): void {
  const lacking = (["read", "write", "close"] as const)
    .filter((name) => typeof transport?.[name] !== "function");
  if (lacking.length > 0) throw new TypeError(`what dial gave has no ${lacking.join(", no ")}`);
}

/** What the reader can do about a connection that could not be made. */
function adviceFor(error: unknown): string {
  // Deno's errors say themselves which permission is missing.
  if (error instanceof Error && error.name === "NotCapable") return "";
  return "; check that a server listens there";
}
