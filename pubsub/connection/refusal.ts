/**
 * What the errors of servers mean. Not all servers use the codes and words of Redis.
 *
 * @module
 */
import { ServerError } from "../../resp/mod.ts";
import { ConnectError } from "./errors.ts";

const IS_FULL = /\b(max|too many)\w*\b.*\b(clients|connections)\b/i;

/** Whether a server refuses the client, whatever the command: it is full, or in protected mode. */
export function refusesClient({ code, message }: ServerError): boolean {
  return code === "DENIED" || IS_FULL.test(message);
}

/** Whether a server requires `AUTH` first. */
export function wantsPassword({ message }: ServerError): boolean {
  return /^(?:ERR )?NOAUTH\b|\bauthentication required/i.test(message);
}

/** Whether a server has checked the user and password, and refuses them. */
export function refusesPassword({ message }: ServerError): boolean {
  return /^WRONGPASS\b|(invalid|wrong) (username|password)|auth\w* fail|no password is set|without any password/i
    .test(message);
}

/** Whether a server refuses the number of arguments, as servers before Redis 6 refuse a user name. */
export function isArityError({ message }: ServerError): boolean {
  return /wrong number of arg/i.test(message);
}

/**
 * Whether a server refuses a command only for now: it is loading its data, or it is running a script
 * or a function.
 */
export function isBusy(error: unknown): boolean {
  return error instanceof ServerError && (error.code === "LOADING" || error.code === "BUSY");
}

/** Makes the error for a connection that the server refuses to serve. */
export function clientRefused(server: string, cause: ServerError): ConnectError {
  const { message } = cause;
  const hint = IS_FULL.test(message) ? "; close idle connections, or raise its maxclients" : "";
  return new ConnectError("CLIENT_REFUSED", `Cannot use ${server}: ${message}${hint}`, {
    server,
    cause,
  });
}
