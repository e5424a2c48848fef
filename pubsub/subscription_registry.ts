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
export interface DesiredChannel<User> extends ServerChannel {
  /** The same for the same channel in every register. */
  readonly id: string;
  /** Those who want it, each once, in the order in which they came. Never empty while registered. */
  readonly users: readonly User[];
  /** Whether somebody was told that it is subscribed. */
  readonly isPromised: boolean;
}

class Entry<User> implements DesiredChannel<User> {
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
 * The desired channels: the one registry of subscriptions, whatever the servers have confirmed of it.
 *
 * Channels are counted by their users; the last user to leave takes the channel out.
 */
export class SubscriptionRegistry<User> implements DesiredChannels {
  readonly #channels = new Map<string, Entry<User>>();
  readonly #exact = new ByteMap<Subscribers<User>>();
  readonly #patterns = new ByteMap<Subscribers<User>>();
  /** That of all exact channels that the same user alone came to want. */
  #alone: Subscribers<User> = { pattern: null, users: [] };
  readonly #watching = new Set<Set<string>>();

  /** How many channels are desired. */
  get size(): number {
    return this.#channels.size;
  }

  /** The desired channels, in the order in which they were first desired. */
  values(): IterableIterator<DesiredChannel<User>> {
    return this.#channels.values();
  }

  /** The desired channel with that id, if there is one. */
  get(id: string): DesiredChannel<User> | undefined {
    return this.#channels.get(id);
  }

  /** Adds a user of a channel, who may want it more than once. */
  add(channel: ServerChannel, user: User): DesiredChannel<User> {
    const id = channelId(channel);
    let desired = this.#channels.get(id);
    if (desired === undefined) {
      desired = new Entry(id, channel, this.#onlyOf(channel.isPattern ? id : null, user));
      this.#channels.set(id, desired);
      this.#note(id);
      this.#put(desired);
    } else if (desired.users.includes(user)) {
      desired.counts ??= new Map();
      desired.counts.set(user, (desired.counts.get(user) ?? 1) + 1);
    } else {
      // A new list, because somebody may be going through the old one.
      this.#replace(desired, [...desired.users, user]);
    }
    return desired;
  }

  /** Somebody is told that the channel is subscribed; one that is not desired is no matter. */
  promise(id: string): void {
    const desired = this.#channels.get(id);
    if (desired !== undefined) desired.isPromised = true;
  }

  /** Takes a user of a channel away, once; one that is not there is no matter. */
  remove(channel: ServerChannel, user: User): void {
    const id = channelId(channel);
    const desired = this.#channels.get(id);
    if (desired === undefined) return;
    const count = desired.counts?.get(user) ?? 1;
    if (count > 1) {
      desired.counts!.set(user, count - 1);
      return;
    }
    desired.counts?.delete(user);
    const users = desired.users.filter((other) => other !== user);
    if (users.length > 0) return this.#replace(desired, users);
    this.#channels.delete(id);
    this.#note(id);
    (desired.isPattern ? this.#patterns : this.#exact).delete(desired.bytes);
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

  #put(desired: Entry<User>): void {
    (desired.isPattern ? this.#patterns : this.#exact).set(desired.bytes, desired.subscribers);
  }

  #replace(desired: Entry<User>, users: readonly User[]): void {
    const { pattern } = desired.subscribers;
    desired.subscribers = { pattern, users };
    this.#put(desired);
  }

  #onlyOf(pattern: string | null, user: User): Subscribers<User> {
    if (pattern !== null) return { pattern, users: [user] };
    if (this.#alone.users[0] !== user) this.#alone = { pattern, users: [user] };
    return this.#alone;
  }
}

/** What a registry says of the desired channels. */
export interface DesiredChannels {
  /** Every desired channel. */
  values(): Iterable<ServerChannel & { readonly id: string }>;
  /** The desired channel with that id; undefined when it is not desired. */
  get(id: string): (ServerChannel & { readonly isPromised: boolean }) | undefined;
  /**
   * Notes from now on which channels come to be desired, or cease to be.
   *
   * @returns the set that takes their ids, with those that are desired now in it
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
