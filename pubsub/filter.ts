import { type Channel, escapeGlob, type EventName, matchGlob } from "../parse/mod.ts";
import { PIPE } from "../parse/constants.ts";
import { readCounted, startsWith } from "../parse/spans.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import { toBytes } from "../bytes/to_bytes.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { excerpt } from "./connection/printable.ts";

/**
 * Which notifications of its channels a subscription takes. The others are left out before anything is
 * made of them.
 *
 * @example
 * ```ts no-run
 * import { connect, type FilterOptions } from "@keywatch/keywatch";
 *
 * const gone: FilterOptions = { events: ["del", "expired", "evicted"] };
 * await using notifications = await connect("redis://localhost:6379");
 * await notifications.subscribeKeyspace("user:*", gone);
 * await notifications.subscribeKeyevent("expired", { keys: "job:*" });
 * ```
 */
export interface FilterOptions {
  /** Only these events: for keyspace, subkeyspace and subkeyspaceitem channels, which name keys. */
  readonly events?: readonly EventName[];
  /**
   * Only keys that match this glob, without the prefix of the option `keyPrefix`: for keyevent and
   * subkeyevent channels, which name events. {@linkcode escapeGlob} makes one of a plain key.
   */
  readonly keys?: string | Uint8Array;
}

/** Whether a message on a channel of a subscription passes its filter. */
export type PassesFilter = (frame: MessageFrame) => boolean;

/**
 * Makes the filter of a subscription to these channels.
 *
 * @param keyPrefix what stands before the keys of a connection
 * @throws {TypeError} when an option is not what it must be, or does not apply to one of the channels
 */
export function makeFilter(
  channels: readonly Channel[],
  { events, keys }: FilterOptions,
  keyPrefix: Uint8Array | null,
): PassesFilter {
  const isList = Array.isArray(events) && events.length > 0 &&
    events.every((event) => typeof event === "string" && event !== "");
  if (events !== undefined && !isList) {
    throw new TypeError("Cannot subscribe: events is not a list of names of events");
  }
  if (keys !== undefined && typeof keys !== "string" && !ArrayBuffer.isView(keys)) {
    throw new TypeError("Cannot subscribe: keys is neither text nor bytes");
  }
  for (const channel of channels) {
    const isOfKeys = /^(sub)?keyspace(item)?$/.test(`${channel.type}`);
    const isOfEvents = /^(sub)?keyevent$/.test(`${channel.type}`);
    if ((events === undefined || isOfKeys) && (keys === undefined || isOfEvents)) continue;
    throw new TypeError(
      `Cannot subscribe "${excerpt(`${channel}`, 100)}" with ` +
        (events === undefined || isOfKeys
          ? "keys: that is for channels that name events and not keys"
          : "events: that is for channels that name keys and not events"),
    );
  }
  return events === undefined ? passKeys(keys!, keyPrefix) : passEvents(events);
}

/** Whether more than the event, or the key, stands in the payload, as of `__subkeyspace@0__:h`. */
function hasSubkeys({ bytes, channelStart }: MessageFrame): boolean {
  return bytes[channelStart + 2] === 0x73;
}

function passEvents(events: readonly string[]): PassesFilter {
  const names = events.map((event) => encodeUtf8(event));
  return (frame) => {
    const { bytes, payloadStart, payloadEnd } = frame;
    for (const name of names) {
      const end = payloadStart + name.length;
      if (end !== payloadEnd && !(hasSubkeys(frame) && bytes[end] === PIPE)) continue;
      if (startsWith(bytes, payloadStart, name)) return true;
    }
    return false;
  };
}

function passKeys(keys: string | Uint8Array, keyPrefix: Uint8Array | null): PassesFilter {
  const prefix = escapeGlob(keyPrefix ?? new Uint8Array());
  const glob = Uint8Array.of(...prefix, ...toBytes(keys));
  const special = glob.findIndex((byte) => "*?[\\".includes(String.fromCharCode(byte)));
  const plain = special < 0 ? glob : glob.subarray(0, special);
  return (frame) => {
    const { bytes, payloadStart, payloadEnd } = frame;
    const key = hasSubkeys(frame) ? readCounted(bytes, payloadStart, payloadEnd) : null;
    const start = key?.start ?? payloadStart;
    const end = key?.end ?? payloadEnd;
    // Most keys differ in the part before the first special character.
    return end - start >= plain.length && startsWith(bytes, start, plain) &&
      matchGlob(glob, bytes.subarray(start, end));
  };
}
