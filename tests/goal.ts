import { AssertionError } from "@std/assert";

/**
 * Registers a test of something that the library cannot do yet. It passes while an assertion of
 * `fn` fails, and fails once `fn` passes, so that it becomes an ordinary test. Any other error
 * fails it too: a broken goal shows nothing. The assertion must fail reliably.
 *
 * @param change the change that will reach the goal
 */
export function goal(change: string, name: string, fn: () => Promise<void> | void): void {
  Deno.test(`goal (${change}): ${name}`, () => isUnreached(fn));
}

/** The test of a goal, for a step. */
export async function isUnreached(fn: () => Promise<void> | void): Promise<void> {
  try {
    await fn();
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    return;
  }
  throw new Error("This goal is reached: make it an ordinary test");
}
