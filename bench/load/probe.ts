import { command, openCommands } from "./command.ts";

/** Writes keys on a connection of its own, and takes the time until they are heard of. */
export class Probe {
  /** Milliseconds from the write to the notification. */
  readonly lags: number[] = [];
  readonly #socket: ReturnType<typeof openCommands>;
  readonly #mark: string;
  readonly #sent: number[] = [];
  #due = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param tag the hash tag of its keys, so that they are of a cluster's node */
  constructor(port: number, tag = "") {
    this.#mark = `${tag}probe:`;
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
    this.#socket.write(command("SET", this.#mark + this.#sent.length, "x"));
    this.#sent.push(performance.now());
  }

  /** Takes the time if it is a key of its own, and says whether it is. */
  heard(key: string): boolean {
    if (!key.startsWith(this.#mark)) return false;
    this.lags.push(performance.now() - this.#sent[Number(key.slice(this.#mark.length))]!);
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}
