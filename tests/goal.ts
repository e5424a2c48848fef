import { AssertionError } from "@std/assert";

/** Faults were found, of these kinds. */
export class FaultError<Kind extends string = string> extends AssertionError {
  override readonly name = "FaultError";

  constructor(message: string, readonly kinds: readonly Kind[]) {
    super(message);
  }
}

/**
 * The test of something that the library cannot do yet. It passes while `fn` throws a
 * {@linkcode FaultError} of the expected kinds alone, and fails once `fn` passes, so that it becomes
 * an ordinary test. Any other kind, and any other error, fails it. The faults must be found reliably.
 *
 * @param change the change that will reach the goal
 * @param kinds the kinds of faults that are expected so far
 */
export function goal(
  change: string,
  name: string,
  kinds: readonly string[],
  fn: () => Promise<void> | void,
): Deno.TestDefinition {
  return {
    name: `goal (${change}): ${name}`,
    async fn() {
      try {
        await fn();
      } catch (error) {
        const isExpected = error instanceof FaultError &&
          error.kinds.every((kind) => kinds.includes(kind));
        if (isExpected) return;
        throw error;
      }
      throw new Error("This goal is reached: make it an ordinary test");
    },
  };
}
