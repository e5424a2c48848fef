import { describeEvent } from "../events/mod.ts";
import { type Channel, isPattern } from "../parse/mod.ts";
import { excerpt } from "./printable.ts";

/** The event that a channel names: `__keyevent@0__:set`, `__subkeyspaceevent@*__:hset|key`. */
const NAMED_EVENT = /^__(?:(?:sub)?keyevent@[^_]*__:(.*)|subkeyspaceevent@[^_]*__:([^|]*)\|.*)$/s;

/** The one event that a channel is about; null when it is about several, or about a key. */
export function namedEvent(channel: Channel): string | null {
  const named = NAMED_EVENT.exec(String(channel));
  const event = named?.[1] ?? named?.[2];
  // A pattern of databases may name one event; a pattern of events names none.
  return event === undefined || isPattern(event) ? null : event;
}

/**
 * Warns, once for each name, of subscriptions to events that no server sends: they wait for ever
 * without an error, and documents are full of such names.
 */
export class EventAdvice {
  readonly #onWarning: (message: string) => void;
  readonly #told = new Set<string>();

  constructor(onWarning: (message: string) => void) {
    this.#onWarning = onWarning;
  }

  /** Looks at the channels of a subscription. */
  consider(channels: readonly Channel[]): void {
    for (const channel of channels) {
      const event = namedEvent(channel);
      if (event === null || this.#told.has(event)) continue;
      const { instead, text } = describeEvent(event);
      if (instead === null) continue;
      this.#told.add(event);
      this.#onWarning(`"${excerpt(`${channel}`, 100)}" waits for ever: ${text}`);
    }
  }
}
