import { command, openCommands } from "./command.ts";

const MARK = "probe:";

/** Writes keys on a connection of its own, and takes the time until they are heard of. */
export class Probe {
  /** Milliseconds from the write to the notification. */
  readonly lags: number[] = [];
  readonly #socket: ReturnType<typeof openCommands>;
  readonly #sent: number[] = [];
  #due = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(port: number) {
    this.#socket = openCommands(port);
  }

  /** Writes so often, until {@linkcode stop}. */
  start(perSecond: number): void {
    const begin = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const due = (now - begin) / 1000 * perSecond;
      // What a late timer missed is not made up for: many writes at once would show one wait often.
      if (this.#due < due) this.#write(Math.ceil(due));
    }, 1000 / perSecond);
  }

  #write(due: number): void {
    this.#due = due;
    this.#socket.write(command("SET", MARK + this.#sent.length, "x"));
    this.#sent.push(performance.now());
  }

  /** Takes the time if it is a key of its own, and says whether it is. */
  heard(key: string): boolean {
    if (!key.startsWith(MARK)) return false;
    this.lags.push(performance.now() - this.#sent[Number(key.slice(MARK.length))]!);
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}
