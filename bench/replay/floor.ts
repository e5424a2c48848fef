import { decodeText } from "../../bytes/text.ts";
import { emptyMessageFrame, readMessageFrame } from "../../resp/message_frame.ts";
import { PATTERNS } from "../load/frames.ts";
import type { Take } from "../peers.ts";

/** What stands before the first name of both patterns' channels. */
const HEAD = PATTERNS[0].length - 1;
/** In a keyspace channel, the letter that differs from a keyevent channel, and its place. */
const [LETTER, PLACE] = ["s".charCodeAt(0), 5];
/** Longer than every message of the replay. */
const MOST = 512;

/** The one object that is made of each message. */
interface Told {
  readonly key: string;
  readonly event: string;
}

/**
 * What no library can do without: finds each message, makes the texts of key and event and one object,
 * and calls a function with it. Only the frame reader and the decoder of texts are the library's.
 */
export class Floor {
  readonly #take: (told: Told) => void;
  readonly #frame = emptyMessageFrame();
  /** The beginning of a message that a chunk cut, and what the next one adds. */
  readonly #seam = new Uint8Array(2 * MOST);
  #held = 0;

  constructor(take: Take) {
    this.#take = ({ key, event }) => take(key, event);
  }

  /** Reads a chunk, whose memory may be written again afterwards. */
  read(chunk: Uint8Array): void {
    let at = 0;
    if (this.#held > 0) {
      const more = chunk.subarray(0, MOST);
      this.#seam.set(more, this.#held);
      const end = this.#next(this.#seam, 0, this.#held + more.length);
      if (end <= 0) {
        this.#held += more.length;
        return;
      }
      at = end - this.#held;
    }
    for (let end; (end = this.#next(chunk, at, chunk.length)) > 0;) at = end;
    this.#seam.set(chunk.subarray(at));
    this.#held = chunk.length - at;
  }

  #next(bytes: Uint8Array, start: number, size: number): number {
    const frame = this.#frame;
    const end = start < size ? readMessageFrame(frame, bytes, start, size, MOST) : 0;
    if (end <= 0) return end;
    const { channelStart, channelEnd, payloadStart, payloadEnd } = frame;
    const name = decodeText(bytes, channelStart + HEAD, channelEnd);
    const payload = decodeText(bytes, payloadStart, payloadEnd);
    const isKeyspace = bytes[channelStart + PLACE] === LETTER;
    this.#take(isKeyspace ? { key: name, event: payload } : { key: payload, event: name });
    return end;
  }
}
