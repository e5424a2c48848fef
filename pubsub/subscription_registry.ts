import { ByteMap } from "../bytes/byte_map.ts";
import { byteText } from "../bytes/byte_text.ts";
import type { ServerChannel } from "./connection/requests.ts";

/** Those to whom the messages of a channel or pattern go. */
export interface Subscribers<User> {
  /** The pattern's id; null for exact channels. */
  readonly pattern: string | null;
  /** Each once, in the order in which they came. Never empty while registered. */
  readonly users: readonly User[];
}

/** A channel that somebody wants, with those who want it. */
export interface WantedChannel<User> extends ServerChannel {
  /** The same for the same channel in every register. */
  readonly id: string;
  /** Those who want it, each once, in the order in which they came. Never empty while registered. */
  readonly users: readonly User[];
  /** Whether somebody was told that it is subscribed. */
  readonly isPromised: boolean;
}

class Entry<User> implements WantedChannel<User> {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly isPattern: boolean;
  subscribers: Subscribers<User>;
  isPromised = false;
  /** How often each user wants it; null while each does once. */
  counts: Map<User, number> | null = null;

  constructor(id: string, { bytes, isPattern }: ServerChannel, subscribers: Subscribers<User>) {
    this.id = id;
    this.bytes = bytes;
    this.isPattern = isPattern;
    this.subscribers = subscribers;
  }

  get users(): readonly User[] {
    return this.subscribers.users;
  }
}

/**
 * What is wanted: the one register of subscriptions, whatever the servers have confirmed of it.
 *
 * Channels are counted by their users; the last user to leave takes the channel out.
 */
export class SubscriptionRegistry<User> implements WantedChannels {
  readonly #channels = new Map<string, Entry<User>>();
  readonly #exact = new ByteMap<Subscribers<User>>();
  readonly #patterns = new ByteMap<Subscribers<User>>();
  /** That of all exact channels that the same user alone came to want. */
  #alone: Subscribers<User> = { pattern: null, users: [] };
  readonly #watching = new Set<Set<string>>();

  /** How many channels are wanted. */
  get size(): number {
    return this.#channels.size;
  }

  /** The wanted channels, in the order in which they were first wanted. */
  values(): IterableIterator<WantedChannel<User>> {
    return this.#channels.values();
  }

  /** The wanted channel with that id, if there is one. */
  get(id: string): WantedChannel<User> | undefined {
    return this.#channels.get(id);
  }

  /** Adds a user of a channel, who may want it more than once. */
  add(channel: ServerChannel, user: User): WantedChannel<User> {
    const id = channelId(channel);
    let wanted = this.#channels.get(id);
    if (wanted === undefined) {
      wanted = new Entry(id, channel, this.#onlyOf(channel.isPattern ? id : null, user));
      this.#channels.set(id, wanted);
      this.#note(id);
      this.#put(wanted);
    } else if (wanted.users.includes(user)) {
      wanted.counts ??= new Map();
      wanted.counts.set(user, (wanted.counts.get(user) ?? 1) + 1);
    } else {
      // A new list, because somebody may be going through the old one.
      this.#replace(wanted, [...wanted.users, user]);
    }
    return wanted;
  }

  /** Somebody is told that the channel is subscribed; one that is not wanted is no matter. */
  promise(id: string): void {
    const wanted = this.#channels.get(id);
    if (wanted !== undefined) wanted.isPromised = true;
  }

  /** Takes a user of a channel away, once; one that is not there is no matter. */
  remove(channel: ServerChannel, user: User): void {
    const id = channelId(channel);
    const wanted = this.#channels.get(id);
    if (wanted === undefined) return;
    const count = wanted.counts?.get(user) ?? 1;
    if (count > 1) {
      wanted.counts!.set(user, count - 1);
      return;
    }
    wanted.counts?.delete(user);
    const users = wanted.users.filter((other) => other !== user);
    if (users.length > 0) return this.#replace(wanted, users);
    this.#channels.delete(id);
    this.#note(id);
    (wanted.isPattern ? this.#patterns : this.#exact).delete(wanted.bytes);
    if (this.#channels.size === 0) this.#alone = { pattern: null, users: [] };
  }

  /** Those who want the pattern whose bytes stand at `bytes[start..end)`. */
  findPattern(bytes: Uint8Array, start: number, end: number): Subscribers<User> | undefined {
    return this.#patterns.get(bytes, start, end);
  }

  /** Those who want the exact channel whose bytes stand at `bytes[start..end)`. */
  findExact(bytes: Uint8Array, start: number, end: number): Subscribers<User> | undefined {
    return this.#exact.get(bytes, start, end);
  }

  watch(): Set<string> {
    const changed = new Set(this.#channels.keys());
    this.#watching.add(changed);
    return changed;
  }

  unwatch(changed: Set<string>): void {
    this.#watching.delete(changed);
  }

  #note(id: string): void {
    for (const changed of this.#watching) changed.add(id);
  }

  #put(wanted: Entry<User>): void {
    (wanted.isPattern ? this.#patterns : this.#exact).set(wanted.bytes, wanted.subscribers);
  }

  #replace(wanted: Entry<User>, users: readonly User[]): void {
    const { pattern } = wanted.subscribers;
    wanted.subscribers = { pattern, users };
    this.#put(wanted);
  }

  #onlyOf(pattern: string | null, user: User): Subscribers<User> {
    if (pattern !== null) return { pattern, users: [user] };
    if (this.#alone.users[0] !== user) this.#alone = { pattern, users: [user] };
    return this.#alone;
  }
}

/** What a register says of what is wanted. */
export interface WantedChannels {
  /** Every wanted channel. */
  values(): Iterable<ServerChannel & { readonly id: string }>;
  /** The wanted channel with that id; undefined when it is not wanted. */
  get(id: string): (ServerChannel & { readonly isPromised: boolean }) | undefined;
  /**
   * Notes from now on which channels come to be wanted, or cease to be.
   *
   * @returns the set that takes their ids, with those that are wanted now in it
   */
  watch(): Set<string>;
  /** Notes no more for a set that `watch` returned. */
  unwatch(changed: Set<string>): void;
}

/**
 * A channel's identity: its kind, and its bytes one to a character.
 *
 * @param channel the channel
 * @returns the same text for the same channel, another for any other
 */
export function channelId(channel: ServerChannel): string {
  return (channel.isPattern ? "p" : "s") + byteText(channel.bytes);
}
