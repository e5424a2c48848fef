import type { MessageFrame } from "../resp/mod.ts";
import type { MessageReceiver } from "./connection/receiver.ts";

/** Successive messages that were dropped. */
export interface DroppedMessages {
  /** A time, in ms since the epoch, before which the server did not send the first. */
  readonly from: number;
  /** When the last came, in ms since the epoch. */
  readonly to: number;
  readonly count: number;
}

interface Held {
  /** A message, or a call between messages. */
  readonly item: MessageFrame | (() => void);
  readonly receivedAt: number;
  readonly sentAfter: number;
}

/** What comes while a server is asked: a handler may be fast although its queue is small. */
const OF_A_MOMENT = { items: 65_536, bytes: 67_108_864 };

/**
 * Messages that came before every channel was confirmed again. They are delivered after the gap was
 * reported. Messages that do not fit are dropped and counted.
 */
export class HeldMessages {
  readonly #limits: { readonly items: number; readonly bytes: number };
  readonly #held: Held[] = [];
  #messages = 0;
  /** Bytes of the messages held. */
  bytes = 0;
  /** Messages that were dropped, newer than all held ones; null if none were. */
  dropped: DroppedMessages | null = null;

  constructor(limits: { readonly items: number; readonly bytes: number } = OF_A_MOMENT) {
    this.#limits = limits;
  }

  /** Holds a copy of a message. Its size is that of the whole frame. */
  hold(frame: MessageFrame, receivedAt: number, sentAfter: number): void {
    const start = frame.patternStart < 0 ? frame.channelStart : frame.patternStart;
    const size = frame.payloadEnd - start;
    if (
      this.dropped !== null || this.#messages >= this.#limits.items ||
      this.bytes + size > this.#limits.bytes
    ) {
      const { from, count } = this.dropped ?? { from: sentAfter, count: 0 };
      this.dropped = { from, to: receivedAt, count: count + 1 };
      return;
    }
    this.#messages++;
    this.bytes += size;
    this.#held.push({ item: copyFrame(frame, start), receivedAt, sentAfter });
  }

  /** Makes a call at this place among the messages; the same one twice in a row only once. */
  mark(call: () => void, receivedAt: number, sentAfter: number): void {
    if (this.#held.at(-1)?.item !== call) this.#held.push({ item: call, receivedAt, sentAfter });
  }

  /**
   * Delivers everything in order.
   *
   * @param receiver gets the times of each message and call
   * @param signal stops the delivery
   */
  release(
    receiver: MessageReceiver,
    deliver: (frame: MessageFrame) => void,
    signal: AbortSignal,
  ): void {
    for (const { item, receivedAt, sentAfter } of this.#held) {
      if (signal.aborted) return;
      receiver.receivedAt = receivedAt;
      receiver.sentAfter = sentAfter;
      if (typeof item === "function") item();
      else deliver(item);
    }
  }
}

/** Copies a frame from `start` on, where its first part begins. */
function copyFrame(frame: MessageFrame, start: number): MessageFrame {
  return {
    bytes: frame.bytes.slice(start, frame.payloadEnd),
    // Negative ones, of no pattern, stay so.
    patternStart: frame.patternStart - start,
    patternEnd: frame.patternEnd - start,
    channelStart: frame.channelStart - start,
    channelEnd: frame.channelEnd - start,
    payloadStart: frame.payloadStart - start,
    payloadEnd: frame.payloadEnd - start,
  };
}
