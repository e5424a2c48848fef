import { until } from "../servers/mod.ts";

/** How long any one wait may take, in ms; generous, because it only ends a test that has failed. */
export const LIMIT = 30_000;

/** The CLI as it runs, and what it has printed. Every wait on it has a deadline. */
export abstract class Cli implements AsyncDisposable {
  #unread = "";
  #notes = "";

  /** More of the results; null at their end. */
  protected abstract more(): Promise<string | null>;

  /** Waits until it has ended, whether or not somebody reads its results. */
  abstract exited(): Promise<number>;

  /** Resolves when nothing further is written to standard error. */
  protected abstract allNoted(): Promise<void>;

  protected addNotes(text: string): void {
    this.#notes += text;
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
    // A line of megabytes comes in many pieces: each is gone through once.
    const pieces: string[] = [];
    for (let text: string | null = this.#unread;;) {
      const end = text.indexOf("\n");
      pieces.push(end === -1 ? text : text.slice(0, end));
      if (end !== -1) {
        this.#unread = text.slice(end + 1);
        return pieces.join("");
      }
      text = await this.more();
      if (text === null) {
        this.#unread = pieces.join("");
        return null;
      }
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

  /** Reads its results to their end, and waits for its own. */
  async ended(): Promise<{ code: number; stderr: string }> {
    while (await this.line() !== null);
    const code = await this.exited();
    await this.allNoted();
    return { code, stderr: this.#notes };
  }

  abstract [Symbol.asyncDispose](): Promise<void>;
}
