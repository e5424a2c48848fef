import {
  canEverReceive,
  knownFlags,
  mergeFlags,
  missingOn,
  type NarrowedChannel,
  parseFlags,
  type Product,
  requiredFlags,
  sinceWhen,
} from "../events/flags.ts";
import { Channel, type ChannelType, type EventName } from "../parse/mod.ts";
import { type Reply, RespMap, ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { excerpt } from "./connection/printable.ts";
import { isBusy } from "./connection/refusal.ts";
import type { ServerChannel } from "./connection/requests.ts";
import { findMissingDatabases } from "./databases.ts";
import {
  type MissingDatabaseError,
  MissingFlagsError,
  type SubscribeRefusedError,
} from "./errors.ts";

/**
 * What to do if a channel can deliver nothing, because `notify-keyspace-events` of the server blocks it or
 * the server has no such database.
 *
 * `require` rejects the subscription. `warn` calls `onWarning`. `ignore` does not check. `merge` adds the
 * missing letters on the server, and rejects the subscription if that does not help.
 *
 * @example
 * ```ts no-run
 * import { connect, type FlagsPolicy } from "@keywatch/keywatch";
 *
 * const flags: FlagsPolicy = "merge";
 * await using notifications = await connect("redis://localhost:6379", { flags });
 * await notifications.subscribeKeyevent("expired"); // Adds the letters x and E where they lack.
 * ```
 */
export type FlagsPolicy = "require" | "warn" | "ignore" | "merge";

/** Why a server can deliver nothing on some channels. */
export type UndeliverableError = MissingFlagsError | MissingDatabaseError | SubscribeRefusedError;

/** A channel to check. */
export interface CheckedChannel extends ServerChannel {
  /** Its users. One with `events` takes only those. */
  readonly users?: readonly { readonly events?: readonly EventName[] | undefined }[];
}

/** Returns why a server can deliver nothing on some channels; null if it can, or does not say. */
export type FindUndeliverable = (channels: Iterable<CheckedChannel>) => UndeliverableError | null;

/**
 * Checks whether a server can deliver anything on channels. Subscribing does not show it: it succeeds
 * although the flags or databases of the server let nothing through. Each subscription is checked,
 * because they may have changed since.
 */
export class DeliveryCheck {
  /** The flags in the last reply; `unknown` if the server did not say; null before the first check. */
  flags: string | null = null;
  readonly #policy: FlagsPolicy;
  /** The flags of the last check of all desired channels; null before. */
  #known: string | null = null;
  /** Whether the flags have changed since. */
  #isOutdated = false;
  /** When the flags that are known were last requested, in ms since the epoch. */
  #soundAt = 0;

  constructor(policy: FlagsPolicy) {
    this.#policy = policy;
  }

  /** Whether the server reports its flags, and the policy needs them. */
  get isTold(): boolean {
    return this.flags !== null && this.flags !== "unknown";
  }

  /**
   * Checks channels. With the policy `merge`, adds the flags that are missing.
   *
   * @param groups the channels of each subscription; a group does not affect the others
   * @returns a function that says so for channels of these groups
   * @throws the reason for which the connection is closed
   */
  async check(
    connection: Connection,
    groups: readonly (readonly CheckedChannel[])[],
  ): Promise<FindUndeliverable> {
    const askedAt = Date.now();
    const find = await this.#find(connection, groups);
    this.#known ??= this.flags;
    if (this.flags === this.#known) this.#soundAt = askedAt;
    else this.#isOutdated = true;
    return find;
  }

  /**
   * As {@linkcode check}, for all desired channels.
   *
   * @returns why nothing can come on some of them; null if something can
   * @throws the reason for which the connection is closed
   */
  async checkAll(
    connection: Connection,
    desired: Iterable<CheckedChannel>,
  ): Promise<UndeliverableError | null> {
    const askedAt = Date.now();
    const channels = [...desired];
    const find = await this.#find(connection, [channels]);
    this.#know(askedAt);
    return find(channels);
  }

  /**
   * Checks whether a change of the flags keeps something from coming that could come before.
   *
   * @param keepsTime whether the caller ends the connection if no reply comes
   * @param sentAfter a time before which the last message was not sent, in ms since the epoch
   * @returns what is lost, and a time at which it was not, in ms since the epoch; null if nothing is
   * @throws the reason for which the connection is closed
   */
  async recheck(
    connection: Connection,
    desired: Iterable<CheckedChannel>,
    keepsTime: boolean,
    sentAfter: number,
  ): Promise<FlagsLoss & { readonly from: number } | null> {
    const before = this.#isOutdated ? null : this.#known;
    const soundAt = this.#soundAt;
    const askedAt = Date.now();
    const flags = await readFlags(connection, keepsTime ? "send" : "request");
    this.flags = flags ?? "unknown";
    this.#know(askedAt);
    if (flags === null || flags === before) return null;
    const loss = findLoss(connection, desired, before, flags);
    // A message proves that something could come if all desired channels need the same flags.
    return loss && { ...loss, from: loss.isWhole ? Math.max(soundAt, sentAfter) : soundAt };
  }

  #know(askedAt: number): void {
    this.#known = this.flags;
    this.#isOutdated = false;
    this.#soundAt = askedAt;
  }

  async #find(
    connection: Connection,
    groups: readonly (readonly CheckedChannel[])[],
  ): Promise<FindUndeliverable> {
    const needsFlags = groups.some((group) => group.length > 0);
    const [findDatabase, flags] = await Promise.all([
      findMissingDatabases(connection, groups.flat()),
      needsFlags ? readFlags(connection) : null,
    ]);
    if (needsFlags) this.flags = flags ?? "unknown";
    if (flags === null) return findDatabase;
    // A group that is refused for its database adds no flags.
    const rest = groups.filter((group) => findDatabase(group) === null);
    const findFlags = await this.#findMissingFlags(connection, flags, rest);
    return (channels) => findDatabase(channels) ?? findFlags(channels);
  }

  async #findMissingFlags(
    connection: Connection,
    before: string,
    groups: readonly Iterable<CheckedChannel>[],
  ): Promise<FindMissing> {
    // Thousands of groups may need the same flags, which are then compared once.
    const asked = new Map<string, readonly Need[]>();
    for (const group of groups) {
      const needs = representatives(group);
      if (needs.size > 0) asked.set(JSON.stringify([...needs.keys()]), [...needs.values()]);
    }
    let flags: string | null = before;
    const refusals: Refusals = new Map();
    if (this.#policy === "merge") {
      flags = await addMissing(connection, flags, [...asked.values()], refusals);
      this.flags = flags ?? "unknown";
    }
    const silent = new Map<string, boolean>();
    return (channels) => {
      if (flags === null) return null;
      const needs = representatives(channels);
      for (const [need, channel] of needs) {
        if (!silent.has(need)) silent.set(need, isSilent(connection, flags, channel));
        if (!silent.get(need)) needs.delete(need);
      }
      return describeSilent(connection, flags, [...needs.values()], refusals);
    };
  }
}

/** What a change of the flags keeps from coming. */
export interface FlagsLoss {
  /** The error if nothing can come on some channels; null if only some of their events cannot. */
  readonly error: MissingFlagsError | null;
  /** The same in words. */
  readonly message: string;
  /** Whether nothing can come on any channel, and all of them need the same flags. */
  readonly isWhole: boolean;
}

/** Compares flags with those before, which are null if they are not known. */
function findLoss(
  connection: Connection,
  channels: Iterable<CheckedChannel>,
  before: string | null,
  flags: string,
): FlagsLoss | null {
  const asked = [...representatives(channels).values()];
  const silent = asked.filter((channel) => isSilent(connection, flags, channel));
  const error = describeSilent(connection, flags, silent, new Map());
  if (error !== null || before === null) {
    // What a filter leaves out may come all the while.
    const isWhole = asked.length === 1 && asked[0] instanceof Channel;
    return error && { error, message: error.message, isWhole };
  }
  const needed = parseFlags(requiredFlags(...asked));
  const had = [...parseFlags(before)].filter((letter) => needed.has(letter)).join("");
  const { added, flags: merged } = mergeFlags(flags, had);
  if (added === "") return null;
  return {
    error: null,
    message: `The notify-keyspace-events of ${connection.server} was "${before}" and is ` +
      `"${flags}" now: some of what is subscribed comes no longer, for want of "${added}"; run ` +
      `there: CONFIG SET notify-keyspace-events '${merged}'`,
    isWhole: false,
  };
}

/** Says what some channels lack; null when they lack nothing. */
type FindMissing = (channels: Iterable<CheckedChannel>) => MissingFlagsError | null;

/** What the server said when it refused to set a letter. */
type Refusals = Map<string, string>;

/** Asks for the flags; null when the server will not tell. */
async function readFlags(
  connection: Connection,
  ask: "request" | "send" = "request",
): Promise<string | null> {
  try {
    const reply = await connection[ask]("CONFIG", "GET", "notify-keyspace-events");
    return flagsIn(connection, reply);
  } catch (error) {
    if (error instanceof ServerError && !isBusy(error)) return null;
    throw error;
  }
}

/** The flags that an answer to `CONFIG GET` names; null when it names none, or something else. */
export function flagsIn({ secrets }: Connection, reply: Reply): string | null {
  // A map in RESP3, a flat array in RESP2.
  const flags = reply instanceof RespMap
    ? reply.get("notify-keyspace-events")
    : Array.isArray(reply)
    ? reply[1]
    : null;
  // They stand in messages, and in commands that people are to run.
  const areFlags = typeof flags === "string" && /^[A-Za-z$]{0,64}$/.test(flags);
  return areFlags && !secrets.repeats(flags) ? flags : null;
}

/**
 * Compares the flags of a primary with those of its replica.
 *
 * @returns why the replica does not emit what its primary emits; null if it does
 */
export function compareFlags(primary: string | null, replica: string | null): string | null {
  if (primary === null || replica === null) {
    return "CONFIG GET does not tell notify-keyspace-events";
  }
  const [ours, theirs] = [parseFlags(primary), parseFlags(replica)];
  // A key that expires or is evicted is deleted on a replica, and a replica does not learn of reads.
  const needsDeletions = (ours.has("x") || ours.has("e")) && !(ours.has("g") && theirs.has("g"));
  const different = [...ours].filter((letter) => !theirs.has(letter)).concat(
    [...theirs].filter((letter) => !ours.has(letter)),
  ).filter((letter) => !"xem".includes(letter));
  if (different.length === 0 && !needsDeletions) return null;
  return `notify-keyspace-events is "${primary}" on the primary and "${replica}" on the replica; ` +
    "set the same on both" + (needsDeletions ? ", with g" : "");
}

/**
 * The letters that a server may have in force without printing them, most first: newer servers know
 * more of them, and refuse a value with one that they do not know.
 */
const HIDDEN = ["nocr", "noc", "n"];

/**
 * Adds the letters that groups of channels lack: all at once, and those of each group alone where the
 * server refuses some of them.
 *
 * @returns the flags afterwards; null when the server does not say
 */
async function addMissing(
  connection: Connection,
  flags: string,
  groups: readonly (readonly Need[])[],
  refusals: Refusals,
): Promise<string | null> {
  const { product } = connection;
  const lacking = new Set(groups.map((group) => missingOn(product, flags, ...group).settable));
  const all = [...new Set([...lacking].join(""))].join("");
  let current: string | null = flags;
  for (const letters of new Set([all, ...lacking])) {
    if (letters === "" || current === null) continue;
    const refusal = await addFlags(connection, current, letters);
    if (refusal === null) {
      current = await readFlags(connection);
      if (letters === all) break;
    } else if (lacking.has(letters)) {
      for (const letter of letters) refusals.set(letter, refusal);
    }
  }
  return current;
}

/** Adds letters to the server's flags; null when it did, otherwise what it said. */
async function addFlags(
  connection: Connection,
  flags: string,
  missing: string,
): Promise<string | null> {
  const { added, unsure } = mergeFlags(flags, missing);
  if (added === "") return null;
  // Letters that the answer hides, and that setting the others would turn off, are set too. Where
  // that cannot be done nothing is: somebody may rely on them.
  let refusal: string | null = null;
  const hiddens = HIDDEN.map((letters) => knownFlags(letters, connection.product));
  for (const hidden of unsure === "" ? [""] : new Set(hiddens)) {
    const { flags: merged } = mergeFlags(flags, missing + hidden);
    try {
      await connection.request("CONFIG", "SET", "notify-keyspace-events", merged);
      return null;
    } catch (error) {
      if (!(error instanceof ServerError) || isBusy(error)) throw error;
      refusal = error.message;
    }
  }
  return refusal;
}

/** Whether nothing can come on a channel with these flags. */
function isSilent({ product }: Connection, flags: string, channel: Need): boolean {
  return !missingOn(product, flags, channel).canReceive;
}

/** Says what channels lack on which nothing can come; null when there are none. */
function describeSilent(
  connection: Connection,
  flags: string,
  silent: readonly Need[],
  refusals: Refusals,
): MissingFlagsError | null {
  if (silent.length === 0) return null;
  const { server, product } = connection;
  const { missing } = missingOn(product, flags, ...silent);
  // What flags help, and what none do.
  const muted = silent.filter((channel) => canEverReceive(product, flags, channel));
  const never = silent.filter((channel) => !muted.includes(channel));
  const { flags: merged } = mergeFlags(flags, missingOn(product, flags, ...muted).settable);
  // Quoted, because a shell would take the $ for a variable of its own.
  const command = muted.length === 0 ? null : `CONFIG SET notify-keyspace-events '${merged}'`;
  const why = [
    ...(command === null ? [] : [describe(flags, muted, product, refusals, command)]),
    ...(never.length > 0 ? [describeNever(flags, never, product)] : []),
  ];
  return new MissingFlagsError(
    `Cannot receive anything on ${nameAll(silent)} from ${server}: ${why.join("; ")}`,
    { server, configured: flags, missing, command },
  );
}

function nameAll(channels: readonly Need[]): string {
  const names = channels.slice(0, 3).map((one) =>
    one instanceof Channel
      ? `"${excerpt(`${one}`, 100)}"`
      : `"${excerpt(`${one.channel}`, 100)}" (events: ${excerpt(one.events.join(", "), 100)})`
  );
  const more = channels.length > 3 ? ` and ${channels.length - 3} more` : "";
  return names.join(", ") + more;
}

/** What the flags lack for channels, and the command that adds it. */
function describe(
  flags: string,
  silent: readonly Need[],
  product: Product,
  refusals: Refusals,
  command: string,
): string {
  const { settable: missing } = missingOn(product, flags, ...silent);
  const refused = [...missing].find((letter) => refusals.has(letter));
  const hidden = knownFlags(mergeFlags(flags, missing).unsure, product);
  return `its notify-keyspace-events is "${flags}" and lacks "${missing}"` +
    (refused === undefined ? "" : `, and it refuses to have it set (${refusals.get(refused)})`) +
    `; run there: ${command}` +
    (hidden === ""
      ? ""
      : ` (add those of "${hidden}" that are in use: the server does not show them)`);
}

/** What a server would have to know to send something on channels. */
function describeNever(flags: string, never: readonly Need[], product: Product): string {
  const { foreign } = missingOn(product, flags, ...never);
  const { software, version } = product;
  return `${software} ${version} cannot send ${nameAll(never)}, because it does not know ` +
    `"${foreign}" in notify-keyspace-events; ${sinceWhen(foreign)} does`;
}

/** A channel that needs flags, or one with the only events that matter. */
type Need = Channel | NarrowedChannel;

const BY_KEY: readonly (ChannelType | null)[] = [
  "keyspace",
  "subkeyspace",
  "subkeyspaceitem",
];

/**
 * One channel for all that need the same flags, by that need: those of a channel type that names the key
 * need the same whatever the key, and there may be thousands.
 */
function representatives(channels: Iterable<CheckedChannel>): Map<string, Need> {
  const found = new Map<string, Need>();
  for (const { bytes, isPattern, users = [{}] } of channels) {
    const channel = new Channel(bytes, isPattern);
    const { type } = channel;
    const name = BY_KEY.includes(type) ? `${type}` : `${channel}`;
    for (const { events } of users) {
      // Nobody takes what comes for such a user.
      if (events?.length === 0) continue;
      const need = events === undefined ? name : `${name} ${events}`;
      if (!found.has(need)) found.set(need, events === undefined ? channel : { channel, events });
    }
  }
  return found;
}
