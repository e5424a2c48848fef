import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { until, within } from "../servers/mod.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The tool from its source, with the rights that the README gives it. */
const FROM_SOURCE = [Deno.execPath(), "run", "--no-prompt", "--allow-net", "cli/mod.ts"];

/** How long any one wait may take, in ms; generous, because it only ends a test that has failed. */
const LIMIT = 30_000;

/** What a {@linkcode Tool} is run with. */
export interface ToolOptions {
  /** The words before the tool's own arguments. */
  readonly program?: readonly string[];
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** The command line tool, run as a process of its own. Every wait on it has a deadline. */
export class Tool implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #noted: Promise<void>;
  #unread = "";
  #notes = "";

  private constructor(command: readonly string[], { cwd = ROOT, env = {} }: ToolOptions) {
    const [program, ...args] = command;
    this.#child = new Deno.Command(program!, {
      args,
      cwd,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdout = textOf(this.#child.stdout).getReader();
    this.#noted = this.#collectNotes(textOf(this.#child.stderr));
  }

  /** Runs it with these arguments, its output going into pipes. */
  static run(args: readonly string[], options: ToolOptions = {}): Tool {
    return new Tool([...options.program ?? FROM_SOURCE, ...args], options);
  }

  /** Runs it on a pseudo terminal, where results and notes come mixed, as one sees them. */
  static runOnTerminal(args: readonly string[], options: ToolOptions = {}): Tool {
    const command = [...options.program ?? FROM_SOURCE, ...args];
    // The two programs of that name: that of Linux, and that of the BSDs. The first runs a shell,
    // which Ctrl-C would interrupt as well if it stayed: then its status is 130, not the tool's.
    const script = Deno.build.os === "linux"
      ? ["script", "-qec", `exec ${command.map(quote).join(" ")}`, "/dev/null"]
      : ["script", "-q", "/dev/null", ...command];
    return new Tool(script, options);
  }

  async #collectNotes(stream: ReadableStream<string>): Promise<void> {
    for await (const text of stream) this.#notes += text;
  }

  /** What it has written to standard error so far. */
  get notes(): string {
    return this.#notes;
  }

  /** Waits until it has written this to standard error. */
  async noted(words: string): Promise<void> {
    await until(`it has noted "${words}"`, () => this.#notes.includes(words), LIMIT);
  }

  /** The next line of the results; null at their end. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#unread.indexOf("\n");
      if (end !== -1) {
        const line = this.#unread.slice(0, end);
        this.#unread = this.#unread.slice(end + 1);
        return line;
      }
      const { done, value } = await within(this.#stdout.read(), LIMIT, "the wait for a line");
      if (done) return null;
      this.#unread += value;
    }
  }

  /** All the results that have not been read, to their end. */
  async rest(): Promise<string> {
    let text = "";
    for (let line; (line = await this.line()) !== null;) text += `${line}\n`;
    const rest = text + this.#unread;
    this.#unread = "";
    return rest;
  }

  /** The results up to the first line that holds these words, or to their end. */
  async linesUntil(words: string): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === null) return lines;
      lines.push(line);
      if (line.includes(words)) return lines;
    }
  }

  /** Closes the reading end of its results, as `head` does. */
  async stopReading(): Promise<void> {
    await this.#stdout.cancel();
  }

  /** Types on its terminal, or into its standard input. */
  async type(keys: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(keys));
  }

  /** Ends its standard input. */
  async typeEnd(): Promise<void> {
    await this.#stdin.close();
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until the process is gone, whether or not somebody reads its results. */
  async exited(): Promise<number> {
    return (await within(this.#child.status, LIMIT, "the wait for its end")).code;
  }

  /** Reads its results to their end, and waits for its own. */
  async ended(): Promise<{ code: number; stderr: string }> {
    while (await this.line() !== null);
    const code = await this.exited();
    await this.#noted;
    return { code, stderr: this.#notes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#stdin.close().catch(() => {});
    await this.#stdout.cancel();
    await this.#noted;
  }
}

function textOf(stream: ReadableStream<Uint8Array>): ReadableStream<string> {
  return stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The tool fails with these words on standard error, in one line unless the usage follows, and with
 * nothing of a stack trace.
 */
export async function fails(code: number, words: string, ...args: string[]): Promise<void> {
  await using tool = Tool.run(args);
  const ended = await tool.ended();
  assertStringIncludes(ended.stderr, words);
  assertEquals(ended.code, code);
  assertEquals(ended.stderr.includes("    at "), false, ended.stderr);
  if (code === 1) assertEquals(ended.stderr.trimEnd().split("\n").length, 1, ended.stderr);
}
