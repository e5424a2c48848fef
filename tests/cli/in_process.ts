import { assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../../cli/run.ts";
import { Output } from "../../cli/output.ts";
import { printable } from "../../pubsub/connection/printable.ts";
import { within } from "../servers/mod.ts";
import { Cli, LIMIT } from "./cli.ts";

/** Keeps what is printed. Nothing of it is coloured, as where there is no terminal. */
class KeptOutput extends Output {
  readonly #onResults: (text: string) => void;
  readonly #onNotes: (text: string) => void;
  override readonly paint = (_style: unknown, text: string): string => text;
  readonly #width: number;

  constructor(
    width: number,
    onResults: (text: string) => void,
    onNotes: (text: string) => void,
  ) {
    super();
    this.#width = width;
    this.#onResults = onResults;
    this.#onNotes = onNotes;
  }

  override get width(): number {
    return this.#width;
  }

  override get isTerminal(): boolean {
    return false;
  }

  override write(text: string): void {
    this.#onResults(text);
  }

  override line(text: string): void {
    this.#onResults(`${text}\n`);
  }

  override note(text: string): void {
    this.#onNotes(`${printable(text)}\n`);
  }
}

/**
 * The CLI in the process of the test: what it prints and its exit status without the cost of a
 * process. Signals, pipes, terminals, permissions and the environment take a `Tool`.
 */
export class InProcess extends Cli {
  readonly #interrupt = new AbortController();
  readonly #status: Promise<number>;
  #results = "";
  #hasEnded = false;
  #changed = Promise.withResolvers<void>();

  private constructor(args: readonly string[], width: number) {
    super();
    const output = new KeptOutput(width, (text) => this.#add(text), (text) => this.addNotes(text));
    this.#status = run(args, { output, signal: this.#interrupt.signal }).finally(() => {
      this.#hasEnded = true;
      this.#add("");
    });
    // Those who wait for the end get the error.
    this.#status.catch(() => {});
  }

  /** Runs it with these arguments, its text laid out for a width. */
  static run(args: readonly string[], width = 79): InProcess {
    return new InProcess(args, width);
  }

  #add(text: string): void {
    this.#results += text;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  protected override async more(): Promise<string | null> {
    while (this.#results === "") {
      if (this.#hasEnded) return null;
      await within(this.#changed.promise, LIMIT, "the wait for a line");
    }
    const text = this.#results;
    this.#results = "";
    return text;
  }

  override exited(): Promise<number> {
    return within(this.#status, LIMIT, "the wait for its end");
  }

  protected override async allNoted(): Promise<void> {
    await this.#status;
  }

  /** Has it end, as Ctrl-C does. */
  interrupt(): void {
    this.#interrupt.abort(new Error("interrupted"));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt();
    await this.#status;
  }
}

/**
 * The CLI fails with these words on standard error, in one line unless the usage follows, and with
 * nothing of a stack trace.
 */
export async function fails(code: number, words: string, ...args: string[]): Promise<void> {
  await using cli = InProcess.run(args);
  const ended = await cli.ended();
  assertStringIncludes(ended.stderr, words);
  assertEquals(ended.code, code);
  assertEquals(ended.stderr.includes("    at "), false, ended.stderr);
  if (code === 1) assertEquals(ended.stderr.trimEnd().split("\n").length, 1, ended.stderr);
}
