import type { EventName, EventNames, KnownEvent } from "../parse/mod.ts";

/** The servers that were examined: Redis 8.8 by its source, the others live. */
const ALL_SERVERS = [
  ...["Redis 7.0", "Redis 8.0", "Redis 8.6", "Redis 8.8"],
  ...["Valkey 8.1", "Valkey 9.1", "Redict 7.3"],
];
const WITH_FIELD_EXPIRY = ["Redis 8.0", "Redis 8.6", "Redis 8.8", "Valkey 9.1"];
const SINCE_REDIS_8_6 = ["Redis 8.6", "Redis 8.8"];
const SINCE_REDIS_8_8 = ["Redis 8.8"];

type EventClass = readonly [
  letter: string,
  servers: readonly string[],
  /** The events that only the command of their name emits. */
  own: string,
  /** Other events, each with the commands that emit it, or with its cause: "a full memory". */
  others: Readonly<Record<string, string>>,
];

/** The events that servers emit, by the letter of their class in `notify-keyspace-events`. */
// deno-fmt-ignore
const CATALOGUE: readonly EventClass[] = [
  ["$", ALL_SERVERS, "append incrbyfloat setrange", {
    set: "SET, SETEX, PSETEX, SETNX, MSET, MSETNX, MSETEX, GETSET, BITOP",
    incrby: "INCRBY, INCR, DECR, DECRBY", setbit: "SETBIT, BITFIELD", pfadd: "PFADD, PFMERGE",
  }],
  ["g", ALL_SERVERS, "", {
    del: "DEL, UNLINK, GETDEL, DELEX, DELIFEQ",
    expire: "EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, SETEX, PSETEX, MSETEX, SET EX, GETEX",
    persist: "PERSIST, GETEX PERSIST",
    rename_from: "RENAME, RENAMENX", rename_to: "RENAME, RENAMENX",
    move_from: "MOVE", move_to: "MOVE", copy_to: "COPY", restore: "RESTORE, RESTORE-ASKING",
  }],
  ["l", ALL_SERVERS, "linsert lset lrem ltrim", {
    lpop: "LPOP, BLPOP, LMPOP, BLMPOP, LMOVE, BLMOVE",
    rpop: "RPOP, BRPOP, LMPOP, BLMPOP, LMOVE, BLMOVE, RPOPLPUSH, BRPOPLPUSH",
    lpush: "LPUSH, LPUSHX, LMOVE, BLMOVE, RPOPLPUSH, BRPOPLPUSH",
    rpush: "RPUSH, RPUSHX, LMOVE, BLMOVE", sortstore: "SORT STORE",
  }],
  ["s", ALL_SERVERS, "spop sdiffstore sinterstore sunionstore", {
    srem: "SREM, SMOVE", sadd: "SADD, SMOVE",
  }],
  ["h", ALL_SERVERS, "hincrby hincrbyfloat", {
    hset: "HSET, HSETNX, HMSET, HSETEX", hdel: "HDEL, HGETDEL",
  }],
  ["h", WITH_FIELD_EXPIRY, "", {
    hexpire: "HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HSETEX, HGETEX",
    hexpired: "a field's time to live over", hpersist: "HPERSIST, HGETEX PERSIST",
  }],
  ["z", ALL_SERVERS,
    "zrem zremrangebyrank zremrangebyscore zremrangebylex zrangestore zdiffstore zinterstore " +
    "zunionstore geosearchstore", {
    zadd: "ZADD, GEOADD", zincr: "ZINCRBY, ZADD INCR",
    zpopmin: "ZPOPMIN, BZPOPMIN, ZMPOP, BZMPOP", zpopmax: "ZPOPMAX, BZPOPMAX, ZMPOP, BZMPOP",
    georadiusstore: "GEORADIUS STORE, GEORADIUSBYMEMBER STORE",
  }],
  ["t", ALL_SERVERS, "xadd xsetid xgroup-create xgroup-destroy xgroup-setid xgroup-delconsumer", {
    xdel: "XDEL, XDELEX, XACKDEL", xtrim: "XTRIM, XADD MAXLEN, XADD MINID",
    "xgroup-createconsumer": "XGROUP CREATECONSUMER, XREADGROUP, XCLAIM, XAUTOCLAIM",
  }],
  ["x", ALL_SERVERS, "", { expired: "a time to live over" }],
  ["e", ALL_SERVERS, "", { evicted: "a full memory" }],
  ["m", ALL_SERVERS, "", { keymiss: "a read of no key" }],
  ["n", ALL_SERVERS, "", { new: "a key made" }],
  ["o", SINCE_REDIS_8_6, "", { overwritten: "a value replaced" }],
  ["c", SINCE_REDIS_8_6, "", { type_changed: "a type replaced" }],
  ["a", SINCE_REDIS_8_8, "arset armset arinsert arring arseek ardel ardelrange", {}],
];

/**
 * Commands that emit events under other names, where the catalogue does not determine which of them, or
 * in which order; by what they emit.
 */
const INSTEAD: Readonly<Record<string, string>> = {
  set: "SETIFEQ",
  "set and expire": "MSETEX",
  "expire or persist": "GETEX",
  "hexpire or hpersist": "HGETEX",
  "lpush, rpop": "RPOPLPUSH, BRPOPLPUSH",
  "lpush or rpush, then lpop or rpop": "LMOVE, BLMOVE",
  "lpop or rpop": "LMPOP, BLMPOP",
  "zpopmin or zpopmax": "ZMPOP, BZMPOP",
  zremrangebyrank: "ZREMBYRANK",
  zremrangebyscore: "ZREMBYSCORE",
  zremrangebylex: "ZREMBYLEX",
  nothing: "SETIFGT, SETIFLT, SETIFNE, FLUSHDB, FLUSHALL, SWAPDB",
};

/**
 * The result of {@linkcode describeEvent}.
 *
 * @example
 * ```ts
 * import { describeEvent, type EventDescription } from "@keywatch/keywatch/events";
 *
 * const { servers, commands }: EventDescription = describeEvent("expired");
 * console.log(servers.join(", "), commands);
 * ```
 */
export interface EventDescription {
  /** The name that was passed. */
  name: string;
  /** The letter of its class in `notify-keyspace-events`; `null` if no server emits it. */
  class: string | null;
  /**
   * Those of Redis 7.0, 8.0, 8.6 and 8.8, Valkey 8.1 and 9.1, and Redict 7.3 that emit it. Redis 8.8
   * by its source.
   */
  servers: readonly string[];
  /** The commands that cause it, or another cause, which begins with `a`: `"a full memory"`. */
  commands: readonly string[];
  /**
   * What servers emit instead of a name that none emits: `"rename_from, rename_to"`, one after the
   * other; `"expire or persist"`, one of them; `"nothing"`. `null` for an event that is emitted, and
   * for an unknown name.
   */
  instead: string | null;
  /** Which servers send it for which commands, or what they send instead, in one sentence. */
  text: string;
}

/** All events that servers emit. */
export const EVENTS: readonly EventDescription[] = /* @__PURE__ */ CATALOGUE.flatMap(describeClass);

function describeClass([letter, servers, own, others]: EventClass): EventDescription[] {
  const named = own.split(" ").filter(Boolean)
    .map((name) => [name, name.toUpperCase().replace("-", " ")] as const);
  return [...named, ...Object.entries(others)].map(([name, commands]) => ({
    name,
    class: letter,
    servers,
    commands: commands.split(", "),
    instead: null,
    text: `${name} is sent by ${servers.join(", ")} for ${commands}`,
  }));
}

/**
 * The names of the events that servers emit, each verified on a server or in its source.
 *
 * Names that documents list but no server emits are missing on purpose, because a subscription to one
 * never fires. {@linkcode describeEvent} names what servers emit instead.
 *
 * @example
 * ```ts
 * import { EventType } from "@keywatch/keywatch/events";
 * import type { KeyNotification } from "@keywatch/keywatch/parse";
 *
 * const isGone = ({ eventType }: KeyNotification): boolean =>
 *   eventType === EventType.DEL || eventType === EventType.EXPIRED;
 * ```
 */
export const EventType: EventNames = /* @__PURE__ */ Object.fromEntries(
  /* @__PURE__ */ EVENTS.map(({ name }) => [name.toUpperCase().replace("-", "_"), name]),
) as Record<string, string> as Record<keyof EventNames, never>;

/**
 * Returns whether some server emits an event of this name. It narrows the type of `eventType`.
 *
 * @param name The name, in small letters as servers send it.
 *
 * @example
 * ```ts
 * import { isKnownEvent } from "@keywatch/keywatch/events";
 *
 * isKnownEvent("expired"); // true
 * isKnownEvent("json.set"); // false: only a module emits it
 * ```
 */
export function isKnownEvent(name: string): name is KnownEvent {
  return EVENTS.some((event) => event.name === name);
}

/**
 * Describes an event.
 *
 * @param name The name, in small letters as servers send it.
 *
 * @example
 * ```ts
 * import { describeEvent } from "@keywatch/keywatch/events";
 *
 * describeEvent("set").class; // "$"
 * describeEvent("zincrby").instead; // "zincr"
 * ```
 */
export function describeEvent(name: EventName): EventDescription {
  const capitals = name.toUpperCase();
  const known = EVENTS.find((event) => event.name.toUpperCase() === capitals);
  if (known?.name === name) return { ...known };
  // A command without an event of its own name emits those that the catalogue has it for.
  const emitted = EVENTS.filter(({ commands }) =>
    commands.some((command) => command.split(" ")[0] === capitals)
  );
  const instead = known?.name ??
    Object.keys(INSTEAD).find((what) => INSTEAD[what]!.split(", ").includes(capitals)) ??
    (emitted.map((event) => event.name).join(", ") || null);
  const text = name +
    (instead
      ? ` is sent by no server: what comes instead is ${instead}`
      : " is not known: only a module or a newer server may send it");
  return { name, class: null, servers: [], commands: [], instead, text };
}
