import { fromByteText } from "../bytes/byte_text.ts";
import { decodeText } from "../bytes/text.ts";
import { EVENTS } from "../events/event.ts";
import { describeEvent } from "../events/mod.ts";
import { REPEATED_AS } from "../events/replication.ts";
import { toBinary } from "../parse/glob.ts";
import { Channel, escapeGlob, isPattern, matchGlob } from "../parse/mod.ts";
import { nearest } from "./connection/nearest.ts";
import { excerpt } from "./connection/printable.ts";
import type { CheckedChannel } from "./flags.ts";

/** The event that a channel names: `__keyevent@0__:set`, `__subkeyspaceevent@*__:hset|key`. */
const NAMED_EVENT = /^__(?:(?:sub)?keyevent@[^_]*__:(.*)|subkeyspaceevent@[^_]*__:([^|]*)\|.*)$/s;

/** The event that a channel names, or a pattern of events; null when it names none. */
function namedEvent(channel: Channel): string | null {
  const named = NAMED_EVENT.exec(String(channel));
  return named?.[1] ?? named?.[2] ?? null;
}

/**
 * Warns, once for each name, about subscriptions to events that no server sends: they never fire, and
 * documents are full of such names.
 */
export class EventAdvice {
  readonly #onWarning: (message: string) => void;
  readonly #warned = new Set<string>();

  constructor(onWarning: (message: string) => void) {
    this.#onWarning = onWarning;
  }

  /**
   * Looks at the channels of a subscription.
   *
   * @param events the events that it takes of them; none if it takes all
   */
  consider(channels: readonly Channel[], events: readonly string[]): void {
    for (const channel of channels) {
      const event = namedEvent(channel);
      // A pattern of databases may name one event; a pattern of events names none.
      if (event !== null && !isPattern(event)) this.#look(event, `"${excerpt(`${channel}`, 100)}"`);
    }
    for (const event of events) this.#look(event, `The event "${excerpt(event, 100)}"`);
  }

  #look(event: string, what: string): void {
    const { class: letter, instead, text } = describeEvent(event);
    // Modules name their events as their commands, such as `json.set`.
    const isUnknown = letter === null && instead === null && !event.includes(".");
    const near = isUnknown ? nearest(event, EVENTS.map(({ name }) => name)) : undefined;
    if (instead === null && near === undefined || this.#warned.has(event)) return;
    this.#warned.add(event);
    this.#onWarning(
      near === undefined
        ? `${what} never fires: ${text}`
        : `${what} may never fire: ${text}; did you mean "${near}"?`,
    );
  }
}

/** The key, or the glob of keys, of a channel that names keys: of each type in bytes as text. */
const NAMED_KEY =
  /^__(?:(?:sub)?keyspace@[^_]*__:(.*)|subkeyspaceitem@[^_]*__:([^\n]*)\n.*|subkeyspaceevent@[^_]*__:[^|]*\|(.*))$/s;

/**
 * Checks that keys of channels can begin with the prefix of the option `keyPrefix`.
 *
 * @throws {TypeError} if those of one cannot, so that nothing would ever come
 */
export function checkKeyPrefix(channels: readonly Channel[], keyPrefix: Uint8Array | null): void {
  if (keyPrefix === null) return;
  const prefix = toBinary(keyPrefix);
  for (const { bytes, isPattern } of channels) {
    const [, ...keys] = NAMED_KEY.exec(toBinary(bytes)) ?? [];
    const key = keys.find((key) => key !== undefined);
    if (key === undefined) continue;
    // All that matches a glob begins with what precedes its first special character.
    const plain = isPattern ? /^(?:\\.|[^\\*?[])*/s.exec(key)![0].replace(/\\(.)/gs, "$1") : key;
    if (plain.startsWith(prefix) || isPattern && prefix.startsWith(plain)) continue;
    const text = (name: string) => excerpt(decodeText(fromByteText(name)), 100);
    throw new TypeError(
      `Cannot subscribe "${text(key)}": no such key begins with keyPrefix, "${text(prefix)}"; ` +
        `write "${text((isPattern ? toBinary(escapeGlob(keyPrefix)) : prefix) + key)}"`,
    );
  }
}

/**
 * Warns, once for each event, of channels that are subscribed on a replica and name events that replicas
 * do not send. A replica sends `keymiss` for what it reads itself, also for replicated commands, and not
 * for what is read on its primary.
 *
 * @param warned the events of which it has been warned
 */
export function adviseOnReplica(
  channels: Iterable<CheckedChannel>,
  warned: Set<string>,
  onWarning: (message: string) => void,
): void {
  for (const { bytes, isPattern, users = [{}] } of channels) {
    const channel = new Channel(bytes, isPattern);
    for (const { events } of users) {
      const includes = events === undefined
        ? eventMatcher(channel)
        : (event: string) => events.includes(event);
      const isOpen = isPattern && events === undefined;
      for (const [event, instead] of Object.entries(REPEATED_AS)) {
        if (warned.has(event) || !includes(event)) continue;
        // A pattern may include what comes instead.
        if (instead === null ? isOpen && includes("del") : includes(instead)) continue;
        warned.add(event);
        onWarning(
          `"${excerpt(`${channel}`, 100)}" does not get "${event}" from a replica, which ` +
            (instead === null
              ? "does not learn of reads on its primary"
              : `sends "${instead}" instead`) +
            "; watch the primary to get it",
        );
      }
    }
  }
}

/** Says whether a channel, or a pattern, includes an event of any key. */
function eventMatcher(channel: Channel): (event: string) => boolean {
  const named = namedEvent(channel);
  if (named !== null) {
    return isPattern(named) ? (event) => matchGlob(named, event) : (event) => named === event;
  }
  if (!channel.isPattern) return () => false;
  const pattern = String(channel);
  return (event) => matchGlob(pattern, `__keyevent@0__:${event}`);
}
