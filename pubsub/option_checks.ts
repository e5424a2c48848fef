const LONGEST_TIMER = 2 ** 31 - 1;

/** What `typeof` says of a value. */
export type Kind = "function" | "object" | "string";

/**
 * Sees that options are of the kinds they must be, or left out.
 *
 * @throws {TypeError} when one is not
 */
export function checkKinds(options: object, kinds: { readonly [name: string]: Kind }): void {
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(options, name);
    if (value === undefined || (typeof value === kind && value !== null)) continue;
    // Not the value itself: it may be a password.
    const given = `what is of type ${typeof value}`;
    throw invalid(name, given, kind === "object" ? "an object" : `a ${kind}`);
  }
}

/**
 * Sees that an option is a time that a timer can keep.
 *
 * @throws {TypeError} when it is not
 */
export function checkMilliseconds(name: string, value: number): void {
  if (value > 0 && value <= LONGEST_TIMER) return;
  throw invalid(name, value, `a number of milliseconds from above 0 to ${LONGEST_TIMER}`);
}

/** What is said of an option that is not what it must be. */
export function invalid(name: string, value: unknown, expected: string): TypeError {
  return new TypeError(`Cannot use the option ${name}: ${String(value)} is not ${expected}`);
}
