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
  /** The first message of the event; null if the next one begins an event, whatever it says. */
  #first: MessageFrame | null = null;
  #matched: Subscribers<Consumer>[] = [];

  /**
   * Takes note of the next message of the connection.
   *
   * @param subscribers those of the channel or pattern that it was sent for
   * @param frame the message; its memory must never be written again
   * @returns whether it begins an event; otherwise {@linkcode hasReceived} says which consumers have received it
   */
  isNewEvent(subscribers: Subscribers<Consumer>, frame: MessageFrame): boolean {
    const first = this.#first;
    // The cheap checks come first: many messages repeat the last pattern, or differ in their length.
    if (
      first !== null && this.#matched[0] !== subscribers && sameText(first, frame) &&
      !this.#hasMatched(subscribers.pattern)
    ) {
      this.#matched.push(subscribers);
      return false;
    }
    this.#first = { ...frame };
    this.#matched = [subscribers];
    return true;
  }

  /** Whether the consumer has been given this event for a channel before the last one. */
  hasReceived(consumer: Consumer): boolean {
    return this.#matched.slice(0, -1).some(({ users }) => users.includes(consumer));
  }

  /** The next message begins an event, whatever came before. */
  reset(): void {
    this.#first = null;
  }

  /** Whether that pattern has matched, or for null the exact channel: of one channel there is one. */
  #hasMatched(pattern: string | null): boolean {
    return this.#matched.some((one) => one.pattern === pattern);
  }
}

/** Whether two messages have the same payload and channel. */
function sameText(a: MessageFrame, b: MessageFrame): boolean {
  return sameBytes(a.bytes, a.payloadStart, a.payloadEnd, b.bytes, b.payloadStart, b.payloadEnd) &&
    sameBytes(a.bytes, a.channelStart, a.channelEnd, b.bytes, b.channelStart, b.channelEnd);
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
