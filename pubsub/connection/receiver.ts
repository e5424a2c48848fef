import type { MessageFrame, Reply } from "../../resp/mod.ts";
import type { ServerChannel } from "./requests.ts";

/**
 * Takes everything that one connection reports. This one ignores it, which is enough where nothing is
 * subscribed.
 */
export class MessageReceiver {
  /** When the bytes of what is reported were read, in ms since the epoch. Set by the connection. */
  receivedAt = 0;
  /**
   * A time, in ms since the epoch, before which the server did not send what is reported. Set by the
   * connection.
   */
  sentAfter = 0;

  /**
   * Takes a message.
   *
   * @param frame where its parts are in its bytes; the object is reused for the next message, the bytes
   * are never written again
   */
  message(_frame: MessageFrame): void {}

  /** Called for a push that is neither a message nor a confirmation; its bulk strings are bytes. */
  unusable(_items: readonly Reply[]): void {}

  /** Called when the server confirms a channel: the messages that follow are of another set of channels. */
  confirmed(_channel: ServerChannel, _subscribed: boolean): void {}

  /** Called when the server ends the subscription of a shard channel, whose slot it no longer serves. */
  released(_channel: Uint8Array): void {}

  /**
   * Called after bytes were processed.
   *
   * @returns a promise to wait for before more is read; null to read on at once
   */
  read(): Promise<void> | null {
    return null;
  }

  /** Called once, when the connection is closed; nothing else is called after it. */
  closed(_reason: Error): void {}
}
