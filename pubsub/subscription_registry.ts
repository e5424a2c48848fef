import { ByteMap } from "../bytes/byte_map.ts";
import { byteText } from "../bytes/byte_text.ts";
import { viewOf } from "../bytes/view.ts";
import type { ServerChannel } from "./connection/requests.ts";

/** The users of a channel or pattern. */
export interface Subscribers<User> {
  /** The pattern's id; null for exact channels. */
  readonly pattern: string | null;
  /** Each user once, in the order of subscription. Never empty while registered. */
  readonly users: readonly User[];
}

/** A desired channel, and its users. */
export class DesiredChannel<User> implements ServerChannel {
  /** The {@linkcode channelId}. */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly isPattern: boolean;
  subscribers: Subscribers<User>;
  /** Whether a `subscribe` of the channel has resolved. */
  isPromised = false;
  /** How often each user has subscribed; null while each has done so once. */
  counts: Map<User, number> | null = null;
  /** The pattern of the message that came after the last one of this pattern. It may be removed. */
  next: DesiredChannel<User> | null = null;
  /**
   * The bytes of a pattern, four at a time; the last four may overlap. Null if they are not to be
   * compared: of an exact channel, of fewer bytes, and of a pattern that was removed.
   */
  words: Int32Array | null = null;

  constructor(id: string, { bytes, isPattern }: ServerChannel, subscribers: Subscribers<User>) {
    this.id = id;
    this.bytes = bytes;
    this.isPattern = isPattern;
    this.subscribers = subscribers;
    const last = bytes.length - 4;
    if (!isPattern || last < 0) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = Math.ceil(bytes.length / 4);
    const words = Array.from({ length }, (_, i) => view.getInt32(Math.min(4 * i, last), true));
    this.words = Int32Array.from(words);
  }

  /** Whether these are known to be the bytes of the pattern. */
  isAt(view: DataView, start: number, end: number): boolean {
    const { words } = this;
    if (words === null || this.bytes.length !== end - start) return false;
    const last = words.length - 1;
    if (view.getInt32(end - 4, true) !== words[last]) return false;
    for (let index = 0; index < last; index++) {
      if (view.getInt32(start + 4 * index, true) !== words[index]) return false;
    }
    return true;
  }

  /** Each user once, in the order of subscription. Never empty while registered. */
  get users(): readonly User[] {
    return this.subscribers.users;
  }
}

/**
 * The desired channels and their users, whatever the servers have confirmed. A channel is removed with
 * its last user.
 */
export class SubscriptionRegistry<User> {
  readonly #channels = new Map<string, DesiredChannel<User>>();
  readonly #exact = new ByteMap<Subscribers<User>>();
  readonly #patterns = new ByteMap<DesiredChannel<User>>();
  /** The pattern that was found last. */
  #last: DesiredChannel<User> | null = null;
  /** How many patterns begin with each head, such as `__keyspace@0__:`; with "" all others. */
  readonly #heads = new Map<string, number>();
  /** Shared by all exact channels whose only user is the same. */
  #alone: Subscribers<User> = { pattern: null, users: [] };
  /**
   * The subscribers of all exact channels, if they have the same: a message of any belongs to them, and
   * is not looked up, which among many channels waits for memory.
   */
  #common: Subscribers<User> | undefined;
  /** Whether an exact channel was removed: the server may still send messages of it. */
  #hasRemoved = false;
  readonly #watching = new Set<Set<string>>();
  /** Whether one event may come for several of the channels. */
  hasOverlaps = false;

  /** The number of desired channels. */
  get size(): number {
    return this.#channels.size;
  }

  /** The desired channels, in the order of subscription. */
  values(): IterableIterator<DesiredChannel<User>> {
    return this.#channels.values();
  }

  /** The desired channel with an id. */
  get(id: string): DesiredChannel<User> | undefined {
    return this.#channels.get(id);
  }

  /** Adds a user of a channel. The same user may be added several times. */
  add(channel: ServerChannel, user: User): DesiredChannel<User> {
    const id = channelId(channel);
    let desired = this.#channels.get(id);
    if (desired === undefined) {
      desired = new DesiredChannel(id, channel, this.#onlyOf(channel.isPattern ? id : null, user));
      this.#channels.set(id, desired);
      this.#put(desired);
      this.#note(id, 1);
    } else if (desired.users.includes(user)) {
      desired.counts ??= new Map();
      desired.counts.set(user, (desired.counts.get(user) ?? 1) + 1);
    } else {
      // A new list, because a delivery may be iterating over the old one.
      this.#replace(desired, [...desired.users, user]);
    }
    return desired;
  }

  /** Notes that a `subscribe` of the channel has resolved. Is a no-op if the channel is not desired. */
  promise(id: string): void {
    const desired = this.#channels.get(id);
    if (desired !== undefined) desired.isPromised = true;
  }

  /** Removes a user of a channel once. Is a no-op if the user is not there. */
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
    if (desired.isPattern) this.#patterns.delete(desired.bytes);
    else {
      this.#exact.delete(desired.bytes);
      this.#hasRemoved = true;
      this.#common = undefined;
    }
    desired.words = null;
    // Otherwise removed patterns, and their users, would stay reachable one through another.
    desired.next = null;
    if (this.#last === desired) this.#last = null;
    this.#note(id, -1);
    if (this.#channels.size === 0) this.#alone = { pattern: null, users: [] };
  }

  /** Finds the users of the pattern at `bytes[start..end)`. */
  findPattern(bytes: Uint8Array, start: number, end: number): Subscribers<User> | undefined {
    // Mostly the one that came next the last time: a comparison is cheaper than a lookup.
    const guess = this.#last?.next;
    if (guess?.isAt(viewOf(bytes), start, end)) {
      this.#last = guess;
      return guess.subscribers;
    }
    const found = this.#patterns.get(bytes, start, end);
    if (found === undefined) return undefined;
    if (this.#last !== null) this.#last.next = found;
    this.#last = found;
    return found.subscribers;
  }

  /** Finds the users of the exact channel at `bytes[start..end)`. */
  findExact(bytes: Uint8Array, start: number, end: number): Subscribers<User> | undefined {
    return this.#common ?? this.#exact.get(bytes, start, end);
  }

  /**
   * Notes from now on which channels become desired, or cease to be.
   *
   * @returns the set that takes their ids; at first it has those of all desired channels
   */
  watch(): Set<string> {
    const changed = new Set(this.#channels.keys());
    this.#watching.add(changed);
    return changed;
  }

  /** Stops adding ids to a set that `watch` returned. */
  unwatch(changed: Set<string>): void {
    this.#watching.delete(changed);
  }

  #note(id: string, more: 1 | -1): void {
    for (const changed of this.#watching) changed.add(id);
    const heads = this.#heads;
    const patterns = this.#patterns.size;
    if (id.startsWith("p")) {
      const [, head = ""] = /^p(__\w+@\d+__:)?/.exec(id)!;
      const count = (heads.get(head) ?? 0) + more;
      if (count > 0) heads.set(head, count);
      else heads.delete(head);
    }
    this.hasOverlaps = patterns > 0 && this.#exact.size > 0 || patterns > heads.size ||
      patterns > 1 && heads.has("");
  }

  #put(desired: DesiredChannel<User>): void {
    if (desired.isPattern) return this.#patterns.set(desired.bytes, desired);
    this.#exact.set(desired.bytes, desired.subscribers);
    this.#common = this.#hasRemoved ? undefined : this.#exact.onlyValue;
  }

  #replace(desired: DesiredChannel<User>, users: readonly User[]): void {
    const { pattern } = desired.subscribers;
    desired.subscribers = users.length === 1
      ? this.#onlyOf(pattern, users[0]!)
      : { pattern, users };
    this.#put(desired);
  }

  #onlyOf(pattern: string | null, user: User): Subscribers<User> {
    if (pattern !== null) return { pattern, users: [user] };
    if (this.#alone.users[0] !== user) this.#alone = { pattern, users: [user] };
    return this.#alone;
  }
}

/** Returns the id of a channel: its kind, and its bytes one to a character. */
export function channelId(channel: ServerChannel): string {
  return (channel.isPattern ? "p" : "s") + byteText(channel.bytes);
}
