/** An event that is remembered, to be laid against those of another node. */
export interface LoggedEvent {
  /** The how manieth event of its node's stream it is. */
  readonly position: number;
  /** The slot of the key. */
  readonly slot: number;
  /** The family of the channel it came on. */
  readonly kind: string;
  /** The event. */
  readonly type: string;
  /** Database and key, the bytes of the key one to a character. */
  readonly key: string;
}

/**
 * A key as it is told of in one family of channels: what a `restore` and the `del` of the same key
 * have in common.
 */
export function heardKey({ kind, key }: Pick<LoggedEvent, "kind" | "key">): string {
  return `${kind} ${key}`;
}

/** What one node's log may hold; older events are forgotten, and with them what they prove. */
const MOST_EVENTS = 65_536;
const MOST_CHARACTERS = 2 ** 22;

/** The last events of a node in slots that are on the move. */
export class EventLog {
  #events: LoggedEvent[] = [];
  /** Index of the oldest event that is held. */
  #head = 0;
  #characters = 0;
  #forgotten = -1;

  /** Adds the newest event. */
  push(event: LoggedEvent): void {
    this.#events.push(event);
    this.#characters += event.key.length;
    while (this.#events.length - this.#head > MOST_EVENTS || this.#characters > MOST_CHARACTERS) {
      const oldest = this.#events[this.#head++]!;
      this.#characters -= oldest.key.length;
      this.#forgotten = oldest.position;
    }
    if (this.#head < MOST_EVENTS) return;
    this.#events = this.#events.slice(this.#head);
    this.#head = 0;
  }

  /** Whether no event after that position was forgotten. */
  isWholeAfter(position: number): boolean {
    return this.#forgotten <= position;
  }

  /** The events after that position, in their order. */
  *after(position: number): Iterable<LoggedEvent> {
    // They are few at the end of many, more often than not.
    let from = this.#events.length;
    while (from > this.#head && this.#events[from - 1]!.position > position) from--;
    for (let i = from; i < this.#events.length; i++) yield this.#events[i]!;
  }

  /** Forgets everything. */
  clear(): void {
    const last = this.#events.at(-1);
    if (last !== undefined) this.#forgotten = last.position;
    this.#events = [];
    this.#head = 0;
    this.#characters = 0;
  }
}
