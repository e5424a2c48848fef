import { REPEATED_AS } from "../../events/replication.ts";
import type { byteText, fromByteText } from "../../bytes/byte_text.ts";
import type { Channel, matchGlob } from "../../parse/mod.ts";
import type { ServerChannel } from "../connection/requests.ts";
import type { Consumer } from "../delivery.ts";
import type { FilteredConsumer, makeFilter, User } from "../filter.ts";
import type { CheckedChannel } from "../flags.ts";
import type { DesiredChannel, SubscriptionRegistry } from "../subscription_registry.ts";

/**
 * Uses the channels on which a replica repeats desired events under another name. What it takes of a
 * replica may be such an event, or one that nobody desires.
 */
export const NOBODY: Consumer = {
  events: [],
  deliver() {},
  counts: { queued: 0, queuedBytes: 0, dropped: 0 },
};

/** Handed over, because bundlers divide a chunk whose values another one imports. */
export interface FilterTools {
  readonly Channel: typeof Channel;
  readonly byteText: typeof byteText;
  readonly fromByteText: typeof fromByteText;
  readonly matchGlob: typeof matchGlob;
  readonly FilteredConsumer: typeof FilteredConsumer;
  readonly makeFilter: typeof makeFilter;
}

/** A channel, and who uses it for the comparison of two streams alone. */
export interface Alias {
  readonly channel: ServerChannel;
  readonly user: User;
}

/** Channels that name keys, and a user of them. */
const OF_KEYS = /^__(sub)?keyspace(item)?@/;

/** The beginning of a channel that names an event, the event, and the key that may follow. */
const OF_EVENTS = /^([^:]*:)([^|]*)(\|.*)?$/s;

/**
 * Returns what else has to be subscribed so that the events of a replica can be compared: the names under
 * which it repeats desired events, unless its user desires these as well.
 */
export function aliasesOf(channels: Iterable<CheckedChannel>, tools: FilterTools): Alias[] {
  const aliases: Alias[] = [];
  for (const { bytes, isPattern, users = [] } of channels) {
    const text = tools.byteText(bytes);
    const [, start, named, key = ""] = OF_EVENTS.exec(text) ?? [];
    for (const user of users as readonly User[]) {
      if (isNobody(user)) continue;
      const takes = takesOf(text, isPattern, user, tools);
      for (const [name, repeated] of Object.entries(REPEATED_AS)) {
        if (repeated === null || !takes(name) || takes(repeated)) continue;
        if (OF_KEYS.test(text)) {
          const passes = tools.makeFilter(
            [new tools.Channel(bytes, isPattern)],
            { events: [repeated] },
            null,
          );
          aliases.push({
            channel: { bytes, isPattern },
            user: new tools.FilteredConsumer(NOBODY, passes, []),
          });
        } else if (named !== undefined) {
          aliases.push({
            channel: { bytes: tools.fromByteText(start + repeated + key), isPattern },
            user: "passes" in user ? new tools.FilteredConsumer(NOBODY, user.passes, []) : NOBODY,
          });
        }
      }
    }
  }
  return aliases;
}

/** The channels of both servers: those that are desired, and those that only their comparison needs. */
export class ComparedChannels {
  readonly #registry: SubscriptionRegistry<User>;
  readonly #tools: FilterTools;
  #aliases: readonly Alias[] = [];

  constructor(registry: SubscriptionRegistry<User>, tools: FilterTools) {
    this.#registry = registry;
    this.#tools = tools;
  }

  /**
   * Registers the channels that the comparison needs, in place of those before.
   *
   * @param more channels with the users that they are going to have
   * @returns those that are registered
   */
  set(more: readonly CheckedChannel[] = []): DesiredChannel<User>[] {
    const before = this.#aliases;
    this.#aliases = aliasesOf([...this.#registry.values(), ...more], this.#tools);
    const added = this.#aliases.map(({ channel, user }) => this.#registry.add(channel, user));
    for (const { channel, user } of before) this.#registry.remove(channel, user);
    return added;
  }

  /** Whether somebody takes an event of some channel. */
  take(event: string): boolean {
    return isTaken(event, this.#registry.values(), this.#tools);
  }
}

function isTaken(
  event: string,
  channels: Iterable<CheckedChannel>,
  tools: FilterTools,
): boolean {
  for (const { bytes, isPattern, users = [] } of channels) {
    const text = tools.byteText(bytes);
    const isOne = (user: unknown) =>
      !isNobody(user as User) && takesOf(text, isPattern, user as User, tools)(event);
    if (users.some(isOne)) return true;
  }
  return false;
}

/** Whether a user only compares. */
function isNobody(user: User): boolean {
  return user === NOBODY || "passes" in user && user.consumer === NOBODY;
}

/** Returns which events a user takes of a channel. */
function takesOf(
  text: string,
  isPattern: boolean,
  { events }: { readonly events?: readonly string[] | undefined },
  { matchGlob }: FilterTools,
): (event: string) => boolean {
  if (events !== undefined) return (event) => events.includes(event);
  const [, , named] = OF_EVENTS.exec(text) ?? [];
  if (OF_KEYS.test(text) || named === undefined) return () => true;
  return (event) => isPattern ? matchGlob(named, event) : named === event;
}
