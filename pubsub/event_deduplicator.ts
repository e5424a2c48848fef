import type { MessageFrame } from "../resp/mod.ts";
import type { Subscribers } from "./subscription_registry.ts";

/**
 * Delivers each event once to each consumer: remembers which subscriptions the current event of a
 * connection has matched.
 *
 * For one event a server sends a message for the exact channel, then one for each matching
 * pattern, with nothing of another event between them. So messages with the same channel and
 * payload that follow each other are one event, until a subscription comes a second time: that is
 * the next event.
 *
 * A keyspace and a keyevent message of one event count as two events: a consumer that reads only one
 * `kind` must not miss the event because the other message came first.
 */
export class EventDeduplicator<Consumer> {
  #bytes: Uint8Array | null = null;
  #channelStart = 0;
  #channelEnd = 0;
  #payloadStart = 0;
  #payloadEnd = 0;
  /** The first so many of what follows are of this event. */
  #count = 0;
  readonly #matched: Subscribers<Consumer>[] = [];

  /**
   * Takes note of the next message of the connection.
   *
   * @param subscribers those of the channel or pattern that it was sent for
   * @param frame the message; its memory must never be written again
   * @returns whether it begins an event; otherwise {@linkcode hasReceived} tells who has been given it
   */
  isNewEvent(subscribers: Subscribers<Consumer>, frame: MessageFrame): boolean {
    // The cheap checks come first. With one subscription every message repeats it (exact channels
    // that share their subscribers match an event only once), and of several most differ in the
    // length of their payload. The count stands apart because setting the length of an array is slow.
    if (
      this.#count > 0 && this.#matched[0] !== subscribers && this.#continues(frame) &&
      !this.#hasMatched(subscribers.pattern)
    ) {
      this.#matched[this.#count++] = subscribers;
      return false;
    }
    this.#matched[0] = subscribers;
    this.#count = 1;
    this.#bytes = frame.bytes;
    this.#channelStart = frame.channelStart;
    this.#channelEnd = frame.channelEnd;
    this.#payloadStart = frame.payloadStart;
    this.#payloadEnd = frame.payloadEnd;
    return true;
  }

  /** Whether the consumer has been given this event for a channel before the last one. */
  hasReceived(consumer: Consumer): boolean {
    for (let index = this.#count - 2; index >= 0; index--) {
      if (this.#matched[index]!.users.includes(consumer)) return true;
    }
    return false;
  }

  /** The next message begins an event, whatever came before. */
  reset(): void {
    if (this.#count === 0) return;
    this.#bytes = null;
    this.#count = 0;
    this.#matched.length = 0;
  }

  /** Whether that pattern has matched, or for null the exact channel: of one channel there is one. */
  #hasMatched(pattern: string | null): boolean {
    for (let index = 0; index < this.#count; index++) {
      if (this.#matched[index]!.pattern === pattern) return true;
    }
    return false;
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
