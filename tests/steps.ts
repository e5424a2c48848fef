/** A test in several steps, each with a name of its own. */
export type Step = (name: string, fn: () => Promise<void>) => Promise<void>;

/**
 * Has a test run in steps that share what it has started, such as a cluster, which takes seconds to
 * start. All steps run, also after one that fails. What leaks is found out at the end of the test
 * in place of that of each step: what was started before goes on meanwhile.
 */
export function inSteps(fn: (step: Step) => Promise<void>): (t: Deno.TestContext) => Promise<void> {
  return async (t) => {
    await fn(async (name, fn) => {
      await t.step({ name, fn, sanitizeOps: false, sanitizeResources: false });
    });
  };
}
