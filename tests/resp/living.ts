/** The collector, in a program that was started with `--v8-flags=--expose-gc`. */
export const gc: () => void = (globalThis as unknown as { gc: () => void }).gc;

/** How many bytes live, on the heap and beside it. */
export function living(): number {
  // The memory of array buffers is given back while the next collection runs.
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Runs a program of this folder with the collector at hand, and reads the JSON that it prints. */
export async function runCollected<T>(program: string, ...args: string[]): Promise<T> {
  const path = new URL(program, import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-read",
      "--v8-flags=--expose-gc,--single-threaded-gc",
      path,
      ...args,
    ],
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout));
}
