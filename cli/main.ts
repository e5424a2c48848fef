import { listenForInterrupt } from "./interrupt.ts";
import { Output } from "./output.ts";
import { run } from "./run.ts";

/**
 * Runs a command of the CLI, until it has done its work or is interrupted.
 *
 * @param args the arguments after the program's name
 * @returns the exit status: 0 when all went well, 1 when something failed, 2 when the arguments
 * are wrong; the reason is on standard error
 *
 * @example
 * ```ts
 * import { main } from "@keywatch/keywatch/cli";
 *
 * const status = await main(["flags", "explain", "KEA"]); // prints what the letters mean
 * console.log(status); // 0
 * ```
 */
export async function main(args: readonly string[]): Promise<number> {
  const output = new Output();
  const interrupt = listenForInterrupt();
  try {
    const signal = AbortSignal.any([interrupt.signal, output.broken]);
    const status = await run(args, { output, signal });
    await output.flush(interrupt.signal);
    if (output.failure === null) return status;
    output.note(`keywatch: ${output.failure}`, "red");
    await output.flush(interrupt.signal);
    return 1;
  } finally {
    interrupt.release();
  }
}
