import type { EventName, EventNames } from "../parse/mod.ts";

/** The servers that were examined: Redis 8.8 by its source, the others live. */
const ALL_SERVERS = ["Redis 7.0", "Redis 8.0", "Redis 8.6", "Redis 8.8", "Valkey 9.1"];
const SINCE_REDIS_8_0 = ["Redis 8.0", "Redis 8.6", "Redis 8.8", "Valkey 9.1"];
const SINCE_REDIS_8_6 = ["Redis 8.6", "Redis 8.8"];
const SINCE_REDIS_8_8 = ["Redis 8.8"];

/** The events of a class, each with the commands that emit it, or with its cause: "a full memory". */
type EventClass = readonly [
  letter: string,
  servers: readonly string[],
  events: Readonly<Record<string, string>>,
];

/** The events that servers emit, by the letter of their class in `notify-keyspace-events`. */
// deno-fmt-ignore
const CATALOGUE: readonly EventClass[] = [
  ["$", ALL_SERVERS, {
    set: "SET, SETEX, PSETEX, SETNX, MSET, MSETNX, MSETEX, GETSET, BITOP",
    append: "APPEND",
    incrby: "INCRBY, INCR, DECR, DECRBY",
    incrbyfloat: "INCRBYFLOAT", setrange: "SETRANGE",
    setbit: "SETBIT, BITFIELD",
    pfadd: "PFADD, PFMERGE",
  }],
  ["g", ALL_SERVERS, {
    del: "DEL, UNLINK, GETDEL, DELEX, DELIFEQ",
    expire: "EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, SETEX, PSETEX, MSETEX, SET EX, GETEX",
    persist: "PERSIST, GETEX PERSIST",
    rename_from: "RENAME, RENAMENX",
    rename_to: "RENAME, RENAMENX",
    move_from: "MOVE",
    move_to: "MOVE",
    copy_to: "COPY",
    restore: "RESTORE, RESTORE-ASKING",
  }],
  ["l", ALL_SERVERS, {
    lpop: "LPOP, BLPOP, LMPOP, BLMPOP, LMOVE, BLMOVE",
    rpop: "RPOP, BRPOP, LMPOP, BLMPOP, LMOVE, BLMOVE, RPOPLPUSH, BRPOPLPUSH",
    lpush: "LPUSH, LPUSHX, LMOVE, BLMOVE, RPOPLPUSH, BRPOPLPUSH",
    rpush: "RPUSH, RPUSHX, LMOVE, BLMOVE",
    linsert: "LINSERT", lset: "LSET", lrem: "LREM", ltrim: "LTRIM",
    sortstore: "SORT STORE",
  }],
  ["s", ALL_SERVERS, {
    srem: "SREM, SMOVE",
    sadd: "SADD, SMOVE",
    spop: "SPOP", sdiffstore: "SDIFFSTORE", sinterstore: "SINTERSTORE", sunionstore: "SUNIONSTORE",
  }],
  ["h", ALL_SERVERS, {
    hset: "HSET, HSETNX, HMSET, HSETEX",
    hdel: "HDEL, HGETDEL",
    hincrby: "HINCRBY", hincrbyfloat: "HINCRBYFLOAT",
  }],
  ["h", SINCE_REDIS_8_0, {
    hexpire: "HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HSETEX, HGETEX",
    hexpired: "a field's time to live over",
    hpersist: "HPERSIST, HGETEX PERSIST",
  }],
  ["z", ALL_SERVERS, {
    zadd: "ZADD, GEOADD",
    zincr: "ZINCRBY, ZADD INCR",
    zrem: "ZREM", zremrangebyrank: "ZREMRANGEBYRANK", zremrangebyscore: "ZREMRANGEBYSCORE",
    zremrangebylex: "ZREMRANGEBYLEX",
    zpopmin: "ZPOPMIN, BZPOPMIN, ZMPOP, BZMPOP",
    zpopmax: "ZPOPMAX, BZPOPMAX, ZMPOP, BZMPOP",
    zrangestore: "ZRANGESTORE", zdiffstore: "ZDIFFSTORE", zinterstore: "ZINTERSTORE",
    zunionstore: "ZUNIONSTORE", geosearchstore: "GEOSEARCHSTORE",
    georadiusstore: "GEORADIUS STORE, GEORADIUSBYMEMBER STORE",
  }],
  ["t", ALL_SERVERS, {
    xadd: "XADD",
    xdel: "XDEL, XDELEX, XACKDEL",
    xtrim: "XTRIM, XADD MAXLEN, XADD MINID",
    xsetid: "XSETID", "xgroup-create": "XGROUP CREATE", "xgroup-destroy": "XGROUP DESTROY",
    "xgroup-setid": "XGROUP SETID",
    "xgroup-createconsumer": "XGROUP CREATECONSUMER, XREADGROUP, XCLAIM, XAUTOCLAIM",
    "xgroup-delconsumer": "XGROUP DELCONSUMER",
  }],
  ["x", ALL_SERVERS, { expired: "a time to live over" }],
  ["e", ALL_SERVERS, { evicted: "a full memory" }],
  ["m", ALL_SERVERS, { keymiss: "a read of no key" }],
  ["n", ALL_SERVERS, { new: "a key made" }],
  ["o", SINCE_REDIS_8_6, { overwritten: "a value replaced" }],
  ["c", SINCE_REDIS_8_6, { type_changed: "a type replaced" }],
  ["a", SINCE_REDIS_8_8, {
    arset: "ARSET", armset: "ARMSET", arinsert: "ARINSERT", arring: "ARRING", arseek: "ARSEEK",
    ardel: "ARDEL", ardelrange: "ARDELRANGE",
  }],
];

/**
 * Commands that emit events under other names, where the catalogue does not determine which of them, or
 * in which order.
 */
const INSTEAD: Readonly<Record<string, string>> = {
  ZREMBYRANK: "zremrangebyrank",
  ZREMBYSCORE: "zremrangebyscore",
  ZREMBYLEX: "zremrangebylex",
  SETIFEQ: "set",
  GETEX: "expire or persist",
  HGETEX: "hexpire or hpersist",
  RPOPLPUSH: "lpush, rpop",
  BRPOPLPUSH: "lpush, rpop",
  LMOVE: "lpush or rpush, then lpop or rpop",
  BLMOVE: "lpush or rpush, then lpop or rpop",
  LMPOP: "lpop or rpop",
  BLMPOP: "lpop or rpop",
  ZMPOP: "zpopmin or zpopmax",
  BZMPOP: "zpopmin or zpopmax",
  MSETEX: "set and expire",
  SETIFGT: "nothing",
  SETIFLT: "nothing",
  SETIFNE: "nothing",
  FLUSHDB: "nothing",
  FLUSHALL: "nothing",
  SWAPDB: "nothing",
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
  /** Those of Redis 7.0, 8.0, 8.6, 8.8 and Valkey 9.1 that emit it. Redis 8.8 by its source. */
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

function describeClass([letter, servers, events]: EventClass): EventDescription[] {
  return Object.entries(events).map(([name, commands]) => ({
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
    (Object.hasOwn(INSTEAD, capitals) ? INSTEAD[capitals]! : null) ??
    (emitted.map((event) => event.name).join(", ") || null);
  const text = name +
    (instead
      ? ` is sent by no server: what comes instead is ${instead}`
      : " is not known: only a module or a newer server may send it");
  return { name, class: null, servers: [], commands: [], instead, text };
}
