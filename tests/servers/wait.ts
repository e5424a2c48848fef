/** Resolves after `ms`. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Resolves once `condition` is true, asked every 20 ms; an error it throws means not yet.
 *
 * @throws {Error} after `ms`, generous by default because it only ends a test that has failed
 */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  ms = 30_000,
): Promise<void> {
  const deadline = performance.now() + ms;
  let cause: unknown;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${ms} ms in vain until ${what}`, { cause });
    }
    await sleep(20);
  }
}

/** Settles as `work` does, or rejects once `ms` have passed. */
export async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer to ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
