import { delay } from "./connection/delay.ts";

/**
 * After how long a server from which nothing can come is asked again, in ms: twice as long each
 * time, up to the most. In RESP2 each time takes a connection.
 */
const FIRST = 200;
const LONGEST = 2_000;

/** Asks a mute server again and again. */
export class MutePoll {
  /**
   * To be called when something comes; null when that is no news. Only the first message hints that
   * it is mute no longer, because it may be of a channel that never was.
   */
  hint: (() => void) | null = null;

  /**
   * Asks until it is mute no longer.
   *
   * @param isMute asks
   * @param signal ends it
   * @throws what asking fails with, and the signal's reason
   */
  async run(isMute: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    let hint = () => {};
    // By the next connection another run may have begun.
    const forget = () => {
      if (this.hint === hint) this.hint = null;
    };
    const hinted = new Promise<void>((resolve) => {
      hint = () => {
        forget();
        resolve();
      };
    });
    this.hint = hint;
    let ms = FIRST;
    try {
      do {
        const pause = delay(ms, signal);
        ms = Math.min(2 * ms, LONGEST);
        await (this.hint === hint ? Promise.race([pause, hinted]) : pause);
      } while (await isMute());
    } finally {
      forget();
    }
  }
}
