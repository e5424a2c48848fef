/**
 * What the errors of servers mean. Not all servers use the codes and words of Redis.
 *
 * @module
 */
import { ServerError } from "../../resp/mod.ts";
import { ConnectError } from "./errors.ts";

// Only words of servers, so that what these match can be shown whatever the password is.
const FULL = /max(?:imum)? number of (?:clients|connections)|too many (?:clients|connections)/i;
const NO_AUTH = /^(?:ERR )?NOAUTH\b|authentication required/i;
const WRONG_PASSWORD =
  /^WRONGPASS\b|(?:invalid|wrong) (?:password|username(?:-password pair or user is disabled)?)|auth(?:entication)? failed|no password is set|called without any password/i;
const ARITY = /wrong number of arguments/i;

/** Makes a pattern of the codes and words by which servers refuse something. */
export function refusalPattern(): RegExp {
  const words = [FULL, NO_AUTH, WRONG_PASSWORD, ARITY].map(({ source }) => source);
  const codes = "^(?:ERR|NOPERM|NOPROTO|DENIED|LOADING|BUSY|MOVED|CLUSTERDOWN)\\b";
  return new RegExp([...words, "unknown (?:sub)?command", codes].join("|"), "gi");
}

/** Whether a server refuses the client, whatever the command: it is full, or in protected mode. */
export function refusesClient({ code, message }: ServerError): boolean {
  return code === "DENIED" || FULL.test(message);
}

/** Whether a server requires `AUTH` first. */
export function wantsPassword({ message }: ServerError): boolean {
  return NO_AUTH.test(message);
}

/** Whether a server has checked the user and password, and refuses them. */
export function refusesPassword({ message }: ServerError): boolean {
  return WRONG_PASSWORD.test(message);
}

/** Whether a server refuses the number of arguments, as servers before Redis 6 refuse a user name. */
export function isArityError({ message }: ServerError): boolean {
  return ARITY.test(message);
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
  const hint = FULL.test(message) ? "; close idle connections, or raise its maxclients" : "";
  return new ConnectError("CLIENT_REFUSED", `Cannot use ${server}: ${message}${hint}`, {
    server,
    cause,
  });
}
