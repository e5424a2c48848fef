import type { MessageFrame } from "../resp/mod.ts";

/**
 * Which consumers have been given the event that a connection is sending.
 *
 * For one event a server sends a message for the exact channel, then one for each matching
 * pattern, with nothing of another event between them. So messages with the same channel and
 * payload that follow each other are one event, until a subscription comes a second time: that is
 * the next event.
 */
export class EventRun<Consumer> {
  #bytes: Uint8Array | null = null;
  #channelStart = 0;
  #channelEnd = 0;
  #payloadStart = 0;
  #payloadEnd = 0;
  readonly #matched = new Set<string>();
  readonly #served = new Set<Consumer>();

  /**
   * Takes note of the next message of the connection.
   *
   * @param id of the channel or pattern it was sent for
   * @param frame the message; its memory must never be written again
   */
  advance(id: string, frame: MessageFrame): void {
    if (this.#matched.has(id) || !this.#continues(frame)) {
      this.#matched.clear();
      this.#served.clear();
      this.#bytes = frame.bytes;
      this.#channelStart = frame.channelStart;
      this.#channelEnd = frame.channelEnd;
      this.#payloadStart = frame.payloadStart;
      this.#payloadEnd = frame.payloadEnd;
    }
    this.#matched.add(id);
  }

  /** Whether the consumer has not been given this event yet; from now on it has. */
  serve(consumer: Consumer): boolean {
    if (this.#served.has(consumer)) return false;
    this.#served.add(consumer);
    return true;
  }

  /** The next message begins an event, whatever came before: the set of subscriptions changed. */
  end(): void {
    this.#bytes = null;
    this.#matched.clear();
    this.#served.clear();
  }

  #continues(frame: MessageFrame): boolean {
    const bytes = this.#bytes;
    return bytes !== null &&
      sameBytes(
        bytes,
        this.#payloadStart,
        this.#payloadEnd,
        frame.bytes,
        frame.payloadStart,
        frame.payloadEnd,
      ) &&
      sameBytes(
        bytes,
        this.#channelStart,
        this.#channelEnd,
        frame.bytes,
        frame.channelStart,
        frame.channelEnd,
      );
  }
}

function sameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  // From the end: keys of one pattern differ there.
  for (let i = aEnd - 1, j = bEnd - 1; i >= aStart; i--, j--) {
    if (a[i] !== b[j]) return false;
  }
  return true;
}
