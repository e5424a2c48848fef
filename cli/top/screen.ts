import process from "node:process";
import { writeSync } from "node:fs";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/** How wide and high a terminal is that does not tell. */
const DEFAULT = { columns: 80, rows: 24 };

/** The ends that nobody foresaw. Deno says of an error that nobody caught only by the second. */
const ENDS = ["exit", "uncaughtExceptionMonitor"] as const;

/** Not on every system may one listen for it; the next picture fits all the same. */
const RESIZE = process.platform === "win32" ? null : "SIGWINCH";

/** One picture, over the one before: written at once, and shown at once where a terminal can. */
export function frame(lines: readonly string[]): string {
  const body = lines.map((line) => `${line}\x1b[K`).join("\r\n");
  return `\x1b[?2026h\x1b[H${body}\x1b[J\x1b[?2026l`;
}

/** A terminal that a program has to itself, until it gives it back as it was. */
export class Screen {
  readonly #write: (text: string) => void;
  readonly #onType: (keys: string) => void;
  readonly #onResize: () => void;
  #isOpen = false;

  /**
   * @param write takes what goes to the terminal
   * @param events `type`: something was typed; `resize`: the size is another
   */
  constructor(
    write: (text: string) => void,
    events: { type(typed: string): void; resize(): void },
  ) {
    this.#write = write;
    this.#onType = events.type;
    this.#onResize = events.resize;
  }

  /** Its size now. */
  get size(): { columns: number; rows: number } {
    const { columns, rows } = process.stdout;
    return { columns: columns || DEFAULT.columns, rows: rows || DEFAULT.rows };
  }

  /** Takes the terminal. */
  enter(): void {
    this.#isOpen = true;
    for (const end of ENDS) process.on(end, this.#atEnd);
    if (RESIZE !== null) process.on(RESIZE, this.#onResize);
    const { stdin } = process;
    if (stdin.isTTY) {
      // Keys come as they are typed and are not shown; with it, Ctrl-C is a key like others.
      stdin.setRawMode(true);
      stdin.on("data", this.#onKeys);
      stdin.resume();
    }
    this.#write(ENTER);
  }

  /** Shows a picture. */
  draw(lines: readonly string[]): void {
    if (this.#isOpen) this.#write(frame(lines));
  }

  /** Gives the terminal back. Safe to call twice. */
  leave(): void {
    if (!this.#isOpen) return;
    this.#release();
    this.#write(LEAVE);
  }

  #release(): void {
    this.#isOpen = false;
    for (const end of ENDS) process.off(end, this.#atEnd);
    if (RESIZE !== null) process.off(RESIZE, this.#onResize);
    const { stdin } = process;
    if (stdin.isTTY) {
      stdin.off("data", this.#onKeys);
      stdin.setRawMode(false);
      stdin.pause();
    }
  }

  /** There is no time to write then but at once. */
  readonly #atEnd = (): void => {
    if (!this.#isOpen) return;
    this.#release();
    writeSync(process.stdout.fd, LEAVE);
  };

  readonly #onKeys = (typed: Uint8Array | string): void => {
    this.#onType(typeof typed === "string" ? typed : new TextDecoder().decode(typed));
  };
}
