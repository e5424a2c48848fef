import type { Channel } from "../parse/mod.ts";
import { namedEvent } from "../pubsub/event_advice.ts";
import { excerpt } from "../pubsub/printable.ts";

/**
 * Events that a primary sends and its replicas do not, with what comes there, as measured on Redis
 * 7.0, 8.0, 8.6 and Valkey 9.1: what is replicated is the effect, and not always the command.
 */
const INSTEAD: Readonly<Record<string, string>> = {
  expired: '"del" comes there',
  evicted: '"del" comes there',
  hexpired: '"hdel" comes there',
  spop: '"srem" comes there, or "del" alone with the last member',
  incrbyfloat: '"set" comes there',
  hincrbyfloat: '"hset" comes there',
  keymiss: "only what is read on the replica itself is told there",
};

/** Says, once for each event, that a subscription waits for what replicas do not send. */
export class ReplicaAdvice {
  readonly #onWarning: (message: string) => void;
  readonly #told = new Set<string>();

  constructor(onWarning: (message: string) => void) {
    this.#onWarning = onWarning;
  }

  /** Looks at the channels of a subscription. */
  consider(channels: readonly Channel[]): void {
    for (const channel of channels) {
      const event = namedEvent(channel);
      if (event === null || !Object.hasOwn(INSTEAD, event) || this.#told.has(event)) continue;
      this.#told.add(event);
      this.#onWarning(
        `"${excerpt(`${channel}`, 100)}": replicas do not send "${event}": ${INSTEAD[event]}`,
      );
    }
  }
}
