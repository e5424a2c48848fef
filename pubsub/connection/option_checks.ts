import type { Dial, TlsOptions } from "./transport.ts";

/** The longest delay of a timer, in ms. */
export const LONGEST_TIMER = 2_147_483_647;

/** What `typeof` says of a value. */
export type Kind = "boolean" | "function" | "object" | "string";

/**
 * Checks the types of options; undefined is accepted.
 *
 * @throws {TypeError} if an option has another type
 */
export function checkKinds(
  options: object,
  kinds: { readonly [name: string]: Kind | null },
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use the options: ${kindOf(options)} is not an object`);
  }
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(options, name);
    if (kind === null || value === undefined || (typeof value === kind && value !== null)) continue;
    throw invalid(name, kindOf(value), kind === "object" ? "an object" : `a ${kind}`);
  }
}

/** The first option that does not exist; undefined if all do. */
function unknownName(options: object, known: readonly string[]): string | undefined {
  return Object.keys(options).find((name) =>
    !known.includes(name) && Reflect.get(options, name) !== undefined
  );
}

/**
 * Checks that all of a few options exist.
 *
 * @throws {TypeError} if one does not
 */
export function checkKnown(options: object, known: readonly string[]): void {
  const name = unknownName(options, known);
  if (name === undefined) return;
  throw new TypeError(
    `Cannot use the option ${name}: it is unknown; the options are ${known.join(", ")}`,
  );
}

/**
 * Looks for options that do not exist.
 *
 * @param known the names of those that do
 * @param path what stands before the names in messages, such as `queue.`
 * @returns null if there are none, so that the caller need not wait; otherwise a promise that rejects
 * with a `TypeError`
 */
export function rejectUnknown(
  options: object | undefined,
  known: readonly string[],
  path: string = "",
): Promise<never> | null {
  const name = unknownName(options ?? {}, known);
  if (name === undefined) return null;
  return import("./unknown_option.ts").then(({ unknownOption }) => {
    throw unknownOption(name, known, path);
  });
}

/**
 * Checks that an option is a time that a timer can keep.
 *
 * @throws {TypeError} if it is not
 */
export function checkMilliseconds(name: string, value: number): void {
  // A string of digits would be concatenated to times, not added.
  if (typeof value === "number" && value > 0 && value <= LONGEST_TIMER) return;
  throw invalid(name, value, `a number of milliseconds from above 0 to ${LONGEST_TIMER}`);
}

/**
 * Checks that an option is a number of at least a minimum.
 *
 * @throws {TypeError} if it is not
 */
export function checkAtLeast(least: number, name: string, value: number): void {
  if (typeof value === "number" && value >= least) return;
  throw invalid(name, value, `a number of at least ${least}`);
}

/**
 * Checks that an option is one of some words.
 *
 * @throws {TypeError} if it is not
 */
export function checkOneOf(words: readonly string[], name: string, value: string): void {
  if (words.includes(value)) return;
  const quoted = words.map((word) => `"${word}"`);
  throw invalid(name, value, `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`);
}

/**
 * Checks that an option is an `AbortSignal` or undefined.
 *
 * @throws {TypeError} if it is not
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  // Not by its class, which differs in another realm, such as that of a test runner.
  if (signal === undefined || typeof signal?.throwIfAborted === "function") return;
  throw invalid("signal", kindOf(signal), "an AbortSignal");
}

/**
 * Checks that options without an effect are left out, or `false`.
 *
 * @param names the options
 * @param where what they cannot be combined with, for the message
 * @param why why not
 * @throws {TypeError} if one is given
 */
export function checkUnused(
  options: object,
  names: readonly string[],
  where: string,
  why: string,
): void {
  for (const name of names) {
    const value: unknown = Reflect.get(options, name);
    if (value === undefined || value === false) continue;
    throw new TypeError(`Cannot use the option ${name} with ${where}: ${why}; leave it out`);
  }
}

/** Describes a value by its type, because the value itself may be a password. */
export function kindOf(value: unknown): string {
  return value === null ? "null" : `a value of type ${typeof value}`;
}

/** Makes the error for an option with a wrong value. */
export function invalid(name: string, value: unknown, expected: string): TypeError {
  return new TypeError(`Cannot use the option ${name}: ${String(value)} is not ${expected}`);
}

/** Whether a value is a promise, including those of another realm or of a library. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

/**
 * Checks that TLS is used if there are options for it.
 *
 * @param isSecured whether the connection uses TLS
 * @param tls the caller's options
 * @param option the name of the option, for messages
 * @returns the options to use; undefined without TLS
 * @throws {TypeError} if there are options but no TLS: a connection that was meant to be secure must
 * not be made in the clear
 */
export function tlsFor(
  isSecured: boolean,
  tls: TlsOptions | undefined,
  option = "tls",
): TlsOptions | undefined {
  checkKinds({ [option]: tls }, { [option]: "object" });
  if (isSecured) return tls ?? {};
  if (tls === undefined) return undefined;
  throw new TypeError(
    `Cannot use the option ${option} without TLS; write rediss:// or valkeys://, or leave it out`,
  );
}

/**
 * A dial that uses TLS for every address, including those that a server names later, so that none of
 * them is connected to in the clear; the same dial if `tls` is undefined.
 */
export function dialWithTls(dial: Dial, tls: TlsOptions | undefined): Dial {
  return tls === undefined ? dial : (address, options) => dial(address, { ...options, tls });
}
