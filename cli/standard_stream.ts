import process from "node:process";

/** The part of Deno's API used here. */
interface DenoStreams {
  readonly stdout: DenoStream;
  readonly stderr: DenoStream;
  readonly noColor: boolean;
}

interface DenoStream {
  write(bytes: Uint8Array): Promise<number>;
}

const { Deno: deno } = globalThis as { Deno?: DenoStreams };

/** The streams that a program prints to. */
export type StandardStream = "stdout" | "stderr";

/**
 * Writes to a stream in such a way that a reader who is slow, or reads nothing, does not keep this
 * program from its other work.
 *
 * @returns what writes a text, and resolves once all of it is taken up
 */
export function writerTo(name: StandardStream): (text: string) => Promise<void> {
  // In Deno `process.stdout.write` returns only when the reader has taken everything.
  return deno === undefined ? (text) => writeTo(process[name], text) : writeInDeno(deno[name]);
}

function writeInDeno(stream: DenoStream): (text: string) => Promise<void> {
  const encoder = new TextEncoder();
  return async (text) => {
    const bytes = encoder.encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await stream.write(bytes.subarray(sent));
  };
}

function writeTo(stream: NodeJS.WriteStream, text: string): Promise<void> {
  // The callback receives an error too, but an `error` event without a listener ends the program.
  stream.off("error", ignore).on("error", ignore);
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => error ? reject(error) : resolve());
  });
}

function ignore(): void {}

/** Whether a stream goes to a terminal. */
export function isTerminal(name: StandardStream): boolean {
  return process[name].isTTY === true;
}

/** How many columns the terminal has that a stream goes to; undefined where there is none. */
export function columnsOf(name: StandardStream): number | undefined {
  return process[name].columns || undefined;
}

/** Whether a stream goes to a terminal, where colours belong, and they are not turned off. */
export function showsColor(name: StandardStream): boolean {
  return isTerminal(name) && !isColorUnwanted();
}

/** By https://no-color.org, an empty `NO_COLOR` is as good as none. */
function isColorUnwanted(): boolean {
  // Deno says so without `--allow-env`.
  return deno === undefined ? (process.env["NO_COLOR"] ?? "") !== "" : deno.noColor;
}
