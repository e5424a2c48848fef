import { ServerError } from "../../resp/mod.ts";
import { ConnectError } from "./errors.ts";

/** Whether a server refuses the client, whatever the command: it is full, or in protected mode. */
export function refusesClient({ code, message }: ServerError): boolean {
  return code === "DENIED" || isFull(message);
}

/** Makes the error for a connection that the server refuses to serve. */
export function unusable(server: string, cause: ServerError): ConnectError {
  const advice = isFull(cause.message) ? "; close idle connections, or raise its maxclients" : "";
  return new ConnectError("CLIENT_REFUSED", `Cannot use ${server}: ${cause.message}${advice}`, {
    server,
    cause,
  });
}

function isFull(message: string): boolean {
  return /\b(max|too many)\w*\b.*\b(clients|connections)\b/i.test(message);
}

/**
 * Whether a server refuses a command only for now: it is loading its data, or it is running a script
 * or a function.
 */
export function isBusy(error: unknown): boolean {
  return error instanceof ServerError && (error.code === "LOADING" || error.code === "BUSY");
}
