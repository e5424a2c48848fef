import { messageOf } from "./message.ts";
import { printable } from "../pubsub/connection/printable.ts";
import { Printer } from "./printer.ts";
import { columnsOf, isTerminal, showsColor, writerTo } from "./standard_stream.ts";
import { type Paint, painter, type Style } from "./style.ts";

/** How wide text for people is at most and at least, in characters. */
const WIDEST = 80;
const NARROWEST = 40;

/** How long printing may go on after an interrupt, in ms. */
const GRACE = 200;

/** Where a command prints: results to standard output, all else to standard error. */
export class Output {
  readonly #results = new Printer(writerTo("stdout"));
  readonly #notes = new Printer(writerTo("stderr"));
  readonly #paintNote = painter(showsColor("stderr"));
  /** Paints what goes into a line of the result, where that is shown. */
  readonly paint: Paint = painter(showsColor("stdout"));

  /** Aborted once results can no longer be printed: after `| head`, or when the disk is full. */
  get broken(): AbortSignal {
    return this.#results.broken;
  }

  /** Why results can no longer be printed; null as long as they can, and when the reader has enough. */
  get failure(): string | null {
    const { aborted, reason } = this.broken;
    return aborted && reason?.code !== "EPIPE"
      ? `Cannot print the results: ${messageOf(reason)}`
      : null;
  }

  /** Whether the reader of the results is so far behind that it is time to {@linkcode flush}. */
  get isFull(): boolean {
    return this.#results.isFull;
  }

  /** Whether results go to a terminal. */
  get isTerminal(): boolean {
    return isTerminal("stdout");
  }

  /** How wide text for people is laid out: one column less than the terminal, within reason. */
  get width(): number {
    // Through a pager, as in `| less`, the terminal is still that of the notes.
    const columns = columnsOf("stdout") ?? columnsOf("stderr") ?? WIDEST;
    return Math.min(WIDEST, Math.max(NARROWEST, columns)) - 1;
  }

  /** Whether some of the results are not taken up yet. */
  get isBusy(): boolean {
    return this.#results.isBusy;
  }

  /** Writes to where results go as it is. */
  write(text: string): void {
    this.#results.print(text);
  }

  /** Prints a line of the result, which may be painted. */
  line(text: string): void {
    this.#results.print(`${text}\n`);
  }

  /** Prints a line about the command itself. What would drive a terminal is escaped. */
  note(text: string, style?: Style): void {
    const line = printable(text);
    this.#notes.print(`${style === undefined ? line : this.#paintNote(style, line)}\n`);
  }

  /**
   * Resolves once everything printed is taken up, or will never be.
   *
   * @param signal the user's interrupt, which leaves only a moment for it
   */
  async flush(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#results.flush(signal, GRACE), this.#notes.flush(signal, GRACE)]);
  }
}
