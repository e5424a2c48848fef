import { toBytes } from "../bytes/to_bytes.ts";
import { type Channel, escapeGlob, type EventName, isPattern, matchGlob } from "../parse/mod.ts";
import { readCounted, startsWith } from "../parse/spans.ts";
import { concat } from "../resp/input_buffer.ts";
import type { MessageFrame } from "../resp/mod.ts";
import { excerpt } from "./connection/printable.ts";
import type { Consumer } from "./delivery.ts";
import type { FilterOptions } from "./subscription.ts";
import type { Subscribers } from "./subscription_registry.ts";

const S = 0x73;
const AT = 0x40;
const PIPE = 0x7c;

/** Whether a message on a channel of a subscription passes its filter. */
type PassesFilter = (frame: MessageFrame) => boolean;

/** A consumer of those messages of a subscription that pass its filter. */
export class FilteredConsumer {
  readonly consumer: Consumer;
  readonly passes: PassesFilter;
  /** As of {@linkcode Consumer}. */
  readonly events: readonly EventName[] | undefined;

  constructor(consumer: Consumer, passes: PassesFilter, events: readonly EventName[] | undefined) {
    this.consumer = consumer;
    this.passes = passes;
    // The list of the caller may change.
    this.events = events?.slice();
  }
}

/** Who uses a channel. */
export type User = Consumer | FilteredConsumer;

/** Returns the consumers that a message is for. */
export function passing(found: Subscribers<User>, frame: MessageFrame): Subscribers<Consumer> {
  const { pattern, users } = found;
  if (!hasFilter(users)) return found as Subscribers<Consumer>;
  const consumers: Consumer[] = [];
  for (const user of users) {
    const isFiltered = user instanceof FilteredConsumer;
    if (isFiltered && !user.passes(frame)) continue;
    const consumer = isFiltered ? user.consumer : user;
    // Several subscriptions without a handler share one.
    if (!consumers.includes(consumer)) consumers.push(consumer);
  }
  return { pattern, users: consumers };
}

/** Whether any of these users takes only some of the messages. */
function hasFilter(users: readonly User[]): boolean {
  for (let index = 0; index < users.length; index++) {
    // By a property, because bundlers make `instanceof` slow, and this is done for each message.
    if ((users[index] as Partial<FilteredConsumer>).passes !== undefined) return true;
  }
  return false;
}

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
  const glob = events?.find((event) => isPattern(event));
  if (glob !== undefined) {
    throw new TypeError(
      `Cannot subscribe: events contains "${
        excerpt(glob, 100)
      }", which is a pattern; list the names`,
    );
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

/** Whether the channel of a message names subkeys, as `__subkeyevent@0__:hset` does. */
function hasSubkeys({ bytes, channelStart }: MessageFrame): boolean {
  return bytes[channelStart + 2] === S;
}

/** Whether subkeys follow the event in the payload: not of `__subkeyspaceitem@0__:`. */
function hasListOfSubkeys(frame: MessageFrame): boolean {
  return hasSubkeys(frame) && frame.bytes[frame.channelStart + "__subkeyspace".length] === AT;
}

function passEvents(events: readonly string[]): PassesFilter {
  const names = events.map((event) => toBytes(event));
  return (frame) => {
    const { bytes, payloadStart, payloadEnd } = frame;
    for (const name of names) {
      const end = payloadStart + name.length;
      if (end !== payloadEnd && !(hasListOfSubkeys(frame) && bytes[end] === PIPE)) continue;
      if (startsWith(bytes, payloadStart, payloadEnd, name)) return true;
    }
    return false;
  };
}

function passKeys(keys: string | Uint8Array, keyPrefix: Uint8Array | null): PassesFilter {
  const prefix = escapeGlob(keyPrefix ?? new Uint8Array());
  const glob = concat([prefix, toBytes(keys)]);
  const special = glob.findIndex((byte) => "*?[\\".includes(String.fromCharCode(byte)));
  const plain = special < 0 ? glob : glob.subarray(0, special);
  return (frame) => {
    const { bytes, payloadStart, payloadEnd } = frame;
    const key = hasSubkeys(frame) ? readCounted(bytes, payloadStart, payloadEnd) : null;
    const start = key?.start ?? payloadStart;
    const end = key?.end ?? payloadEnd;
    // Most keys differ in the part before the first special character.
    return startsWith(bytes, start, end, plain) &&
      matchGlob(glob, bytes.subarray(start, end));
  };
}
