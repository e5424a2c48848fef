import process from "node:process";

/** Where a command prints. */
export interface Output {
  /** Prints a line of the result. */
  line(text: string): void;
  /** Prints a line about the command itself, apart from the result. */
  note(text: string): void;
  /** Called when nobody reads the result any more, as after `| head`. */
  onClosed: () => void;
}

/** Standard output for results, standard error for notes. */
export function standardOutput(): Output {
  const output: Output = {
    line(text) {
      process.stdout.write(`${text}\n`);
    },
    note(text) {
      process.stderr.write(`${text}\n`);
    },
    onClosed() {},
  };
  process.stdout.on("error", (error: Error & { code?: string }) => {
    if (error.code !== "EPIPE") throw error;
    output.onClosed();
  });
  return output;
}

/** Whether results go to a terminal, which is where colours belong. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
}
