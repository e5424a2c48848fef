import {
  canEverReceive,
  knownFlags,
  mergeFlags,
  missingOn,
  parseFlags,
  type Product,
  requiredFlags,
  sinceWhen,
  unknownFlags,
} from "../events/flags.ts";
import { Channel, type ChannelType } from "../parse/mod.ts";
import { type Reply, RespMap, ServerError } from "../resp/mod.ts";
import { isBusy } from "./connection/refusal.ts";
import type { Connection } from "./connection/connection.ts";
import { MissingFlagsError } from "./errors.ts";
import { excerpt } from "./connection/printable.ts";
import type { ServerChannel } from "./connection/requests.ts";

/** Looks after one server's `notify-keyspace-events`. */
export class FlagGuard {
  /** What the server answered last; `unknown` when it would not tell; null when never asked. */
  flags: string | null = null;
  readonly #task: "look" | "add";

  /** @param task whether to look only, or also to add the letters that are missing */
  constructor(task: "look" | "add") {
    this.#task = task;
  }

  /**
   * Asks for the flags, and with the task `add` sets the letters that are missing.
   *
   * @param groups channels; what is refused for one group does not affect the others
   * @returns says what is missing for channels of these groups: null when nothing is, or when the
   * server does not say
   * @throws the reason for which the connection is over
   */
  async check(
    connection: Connection,
    groups: readonly Iterable<ServerChannel>[],
  ): Promise<FindMissing> {
    // Thousands of groups may need the same flags, which are then compared once.
    const asked = new Map<string, readonly Channel[]>();
    for (const group of groups) {
      const needs = representatives(group);
      if (needs.size > 0) asked.set(JSON.stringify([...needs.keys()]), [...needs.values()]);
    }
    if (asked.size === 0) return () => null;
    let flags = await readFlags(connection);
    const refusals: Refusals = new Map();
    if (flags !== null && this.#task === "add") {
      flags = await addMissing(connection, flags, [...asked.values()], refusals);
    }
    this.flags = flags ?? "unknown";
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

  /**
   * Asks for the flags, and looks at them only where they are others than before.
   *
   * @param before what they were; null when that is not known
   * @param keepsTime whether whoever asks sees to it that the connection ends when no answer comes
   * @returns null when nothing is lost by the change, or when there was none
   * @throws the reason for which the connection is over
   */
  async recheck(
    connection: Connection,
    channels: Iterable<ServerChannel>,
    before: string | null,
    keepsTime: boolean,
  ): Promise<FlagsLoss | null> {
    const flags = await readFlags(connection, keepsTime ? "inquire" : "request");
    this.flags = flags ?? "unknown";
    if (flags === null || flags === before) return null;
    const asked = [...representatives(channels).values()];
    const silent = asked.filter((channel) => isSilent(connection, flags, channel));
    const error = describeSilent(connection, flags, silent, new Map());
    if (error !== null || before === null) {
      return error && { error, message: error.message, isWhole: asked.length === 1 };
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
}

/** What is lost by a change of the flags. */
export interface FlagsLoss {
  /** That nothing can come on some channels; null when only some of their events cannot. */
  readonly error: MissingFlagsError | null;
  /** The same in words. */
  readonly message: string;
  /** Whether nothing can come on any channel, and all of them need the same flags. */
  readonly isWhole: boolean;
}

/** Says what some channels lack; null when they lack nothing. */
type FindMissing = (channels: Iterable<ServerChannel>) => MissingFlagsError | null;

/** What the server said when it refused to set a letter. */
type Refusals = Map<string, string>;

/** Asks for the flags; null when the server will not tell. */
async function readFlags(
  connection: Connection,
  ask: "request" | "inquire" = "request",
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
  groups: readonly (readonly Channel[])[],
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
function isSilent({ product }: Connection, flags: string, channel: Channel): boolean {
  return !missingOn(product, flags, channel).canReceive;
}

/** Says what channels lack on which nothing can come; null when there are none. */
function describeSilent(
  connection: Connection,
  flags: string,
  silent: readonly Channel[],
  refusals: Refusals,
): MissingFlagsError | null {
  if (silent.length === 0) return null;
  const { server, product } = connection;
  const { missing } = missingOn(product, flags, ...silent);
  // What flags help, and what none do.
  const muted = silent.filter((channel) => canEverReceive(product, flags, channel));
  const never = silent.filter((channel) => !muted.includes(channel));
  const why = [
    ...(muted.length > 0 ? [describe(flags, muted, product, refusals)] : []),
    ...(never.length > 0 ? [describeNever(flags, never, product)] : []),
  ];
  return new MissingFlagsError(
    `Cannot receive anything on ${nameAll(silent)} from ${server}: ${why.join("; ")}`,
    { server, configured: flags, missing },
  );
}

function nameAll(channels: readonly Channel[]): string {
  const names = channels.slice(0, 3).map((channel) => `"${excerpt(`${channel}`, 100)}"`);
  const more = channels.length > 3 ? ` and ${channels.length - 3} more` : "";
  return names.join(", ") + more;
}

/** With its letters, and only those, any server of today is expected to agree. */
const OLDER: Product = { software: "redis", version: "7.0" };

/** What the flags lack for channels, and the command that adds it. */
function describe(
  flags: string,
  silent: readonly Channel[],
  product: Product,
  refusals: Refusals,
): string {
  const { settable: missing } = missingOn(product, flags, ...silent);
  const refused = [...missing].find((letter) => refusals.has(letter));
  const { flags: merged, unsure } = mergeFlags(flags, missing);
  const hidden = knownFlags(unsure, product);
  const newer = unknownFlags(missing, OLDER);
  return `its notify-keyspace-events is "${flags}" and lacks "${missing}"` +
    (refused === undefined ? "" : `, and it refuses to have it set (${refusals.get(refused)})`) +
    // Quoted, because a shell would take the $ for a variable of its own.
    `; run there: CONFIG SET notify-keyspace-events '${merged}'` +
    (hidden === ""
      ? ""
      : ` (add those of "${hidden}" that are in use: the server does not show them)`) +
    (newer === "" ? "" : ` ("${newer}" needs ${sinceWhen(newer)} or later)`);
}

/** What a server would have to know to send something on channels. */
function describeNever(flags: string, never: readonly Channel[], product: Product): string {
  const { foreign } = missingOn(product, flags, ...never);
  const { software, version } = product;
  return `${software} ${version} cannot send ${nameAll(never)}, because it does not know ` +
    `"${foreign}" in notify-keyspace-events; ${sinceWhen(foreign)} does`;
}

const BY_KEY: readonly (ChannelType | null)[] = [
  "keyspace",
  "subkeyspace",
  "subkeyspaceitem",
];

/**
 * One channel for all that need the same flags, by that need: those of a family that names the key
 * need the same whatever the key, and there may be thousands.
 */
function representatives(channels: Iterable<ServerChannel>): Map<string, Channel> {
  const found = new Map<string, Channel>();
  for (const { bytes, isPattern } of channels) {
    const channel = new Channel(bytes, isPattern);
    const { type } = channel;
    const need = BY_KEY.includes(type) ? `${type}` : `${channel}`;
    if (!found.has(need)) found.set(need, channel);
  }
  return found;
}
