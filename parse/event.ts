/**
 * The events that servers emit, each seen on a server or in its source.
 *
 * Names that documents list and no server emits are left out on purpose, because a subscription to
 * one waits for ever: {@linkcode describeEvent} says what comes instead.
 */
export const EventType = {
  // g: generic
  COPY_TO: "copy_to",
  DEL: "del",
  EXPIRE: "expire",
  MOVE_FROM: "move_from",
  MOVE_TO: "move_to",
  PERSIST: "persist",
  RENAME_FROM: "rename_from",
  RENAME_TO: "rename_to",
  RESTORE: "restore",
  // $: string
  APPEND: "append",
  INCRBY: "incrby",
  INCRBYFLOAT: "incrbyfloat",
  PFADD: "pfadd",
  SET: "set",
  SETBIT: "setbit",
  SETRANGE: "setrange",
  // l: list
  LINSERT: "linsert",
  LPOP: "lpop",
  LPUSH: "lpush",
  LREM: "lrem",
  LSET: "lset",
  LTRIM: "ltrim",
  RPOP: "rpop",
  RPUSH: "rpush",
  SORTSTORE: "sortstore",
  // s: set
  SADD: "sadd",
  SDIFFSTORE: "sdiffstore",
  SINTERSTORE: "sinterstore",
  SPOP: "spop",
  SREM: "srem",
  SUNIONSTORE: "sunionstore",
  // h: hash
  HDEL: "hdel",
  HEXPIRE: "hexpire",
  HEXPIRED: "hexpired",
  HINCRBY: "hincrby",
  HINCRBYFLOAT: "hincrbyfloat",
  HPERSIST: "hpersist",
  HSET: "hset",
  // z: sorted set
  GEORADIUSSTORE: "georadiusstore",
  GEOSEARCHSTORE: "geosearchstore",
  ZADD: "zadd",
  ZDIFFSTORE: "zdiffstore",
  ZINCR: "zincr",
  ZINTERSTORE: "zinterstore",
  ZPOPMAX: "zpopmax",
  ZPOPMIN: "zpopmin",
  ZRANGESTORE: "zrangestore",
  ZREM: "zrem",
  ZREMRANGEBYLEX: "zremrangebylex",
  ZREMRANGEBYRANK: "zremrangebyrank",
  ZREMRANGEBYSCORE: "zremrangebyscore",
  ZUNIONSTORE: "zunionstore",
  // t: stream
  XADD: "xadd",
  XDEL: "xdel",
  XGROUP_CREATE: "xgroup-create",
  XGROUP_CREATECONSUMER: "xgroup-createconsumer",
  XGROUP_DELCONSUMER: "xgroup-delconsumer",
  XGROUP_DESTROY: "xgroup-destroy",
  XGROUP_SETID: "xgroup-setid",
  XSETID: "xsetid",
  XTRIM: "xtrim",
  // x: expired
  EXPIRED: "expired",
  // e: evicted
  EVICTED: "evicted",
  // a: array
  ARDEL: "ardel",
  ARDELRANGE: "ardelrange",
  ARINSERT: "arinsert",
  ARMSET: "armset",
  ARRING: "arring",
  ARSEEK: "arseek",
  ARSET: "arset",
  // m: key miss
  KEYMISS: "keymiss",
  // n: new key
  NEW: "new",
  // o: overwritten
  OVERWRITTEN: "overwritten",
  // c: type changed
  TYPE_CHANGED: "type_changed",
} as const;

/** The name of an event that some server emits. */
export type KnownEvent = typeof EventType[keyof typeof EventType];

/** The name of any event: modules and servers to come have more than are known. */
export type EventName = KnownEvent | (string & Record<never, never>);

/** The events of {@linkcode EventType} in its order. */
export const NAMES: readonly KnownEvent[] = Object.values(EventType);

/** For each of {@linkcode NAMES} the letter of its class in `notify-keyspace-events`. */
export const CLASSES = "ggggggggg$$$$$$$lllllllllsssssshhhhhhhzzzzzzzzzzzzzztttttttttxeaaaaaaamnoc";

/** The servers that were looked at. */
const SERVERS = ["Redis 7.0", "Redis 8.0", "Redis 8.6", "Redis 8.8", "Valkey 9.1"];

/** Which of {@linkcode SERVERS} emit it, for events that not all of them do. */
const SOME_SERVERS: Record<string, number[]> = {
  hexpire: [1, 2, 3, 4],
  hexpired: [1, 2, 3, 4],
  hpersist: [1, 2, 3, 4],
  overwritten: [2, 3],
  type_changed: [2, 3],
};

/** What makes a server emit the event, unless it is just the command of the same name. */
const CAUSES: Record<string, string> = {
  copy_to: "COPY",
  del: "DEL, UNLINK, GETDEL, commands that leave nothing of a key, EXPIRE in the past on Redis",
  expire: "EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, SETEX, PSETEX, SET EX, GETEX EX",
  move_from: "MOVE in the source database",
  move_to: "MOVE in the target database",
  persist: "PERSIST, GETEX PERSIST",
  rename_from: "RENAME, RENAMENX on the old name",
  rename_to: "RENAME, RENAMENX on the new name",
  restore: "RESTORE, the target of a slot migration",
  incrby: "INCR, INCRBY, DECR, DECRBY",
  pfadd: "PFADD, PFMERGE",
  set: "SET, SETEX, SETNX, MSET, GETSET, BITOP",
  setbit: "SETBIT, BITFIELD",
  lpop: "LPOP, BLPOP, LMPOP LEFT, LMOVE LEFT",
  lpush: "LPUSH, LPUSHX, LMOVE to LEFT, RPOPLPUSH",
  rpop: "RPOP, BRPOP, LMPOP RIGHT, LMOVE RIGHT, RPOPLPUSH",
  rpush: "RPUSH, RPUSHX, LMOVE to RIGHT",
  sortstore: "SORT STORE",
  sadd: "SADD, SMOVE on the target",
  srem: "SREM, SMOVE on the source",
  hdel: "HDEL, HGETDEL",
  hexpire: "HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HSETEX, HGETEX",
  hexpired: "a field whose time to live ran out",
  hpersist: "HPERSIST, HGETEX PERSIST",
  hset: "HSET, HSETNX, HMSET, HSETEX",
  georadiusstore: "GEORADIUS STORE",
  zadd: "ZADD, GEOADD",
  zincr: "ZINCRBY, ZADD INCR",
  zpopmax: "ZPOPMAX, BZPOPMAX, ZMPOP MAX",
  zpopmin: "ZPOPMIN, BZPOPMIN, ZMPOP MIN",
  "xgroup-createconsumer":
    "XGROUP CREATECONSUMER, XREADGROUP, XCLAIM, XAUTOCLAIM of a new consumer",
  xtrim: "XTRIM, XADD MAXLEN, XADD MINID",
  expired: "a key whose time to live ran out, EXPIRE in the past on Valkey",
  evicted: "eviction at maxmemory",
  keymiss: "a read of a key that is not there",
  new: "a write that creates a key",
  overwritten: "a write that replaces the whole value",
  type_changed: "a write that changes the type",
};

/** What comes, and then the names, never emitted, that it comes instead of. */
const INSTEAD: Record<string, string> = {
  expire: "expireat pexpire pexpireat",
  "expire or persist": "getex",
  set: "bitop getset mset setifeq setnx",
  "set, expire": "setex",
  incrby: "decr decrby incr",
  setbit: "bitfield",
  pfadd: "pfmerge",
  del: "getdel unlink",
  "rename_from, rename_to": "rename",
  "move_from, move_to": "move",
  copy_to: "copy",
  lpop: "blpop",
  rpop: "brpop",
  "lpop or rpop, then lpush or rpush": "blmove lmove",
  "srem, sadd": "smove",
  zadd: "geoadd",
  zincr: "zincrby",
  zpopmax: "bzpopmax",
  zpopmin: "bzpopmin",
  "zpopmin or zpopmax": "zmpop",
  zremrangebylex: "zrembylex",
  zremrangebyrank: "zrembyrank",
  zremrangebyscore: "zrembyscore",
  hset: "hmset hsetnx",
  hexpire: "hpexpire",
  "xgroup-createconsumer": "xautoclaim xclaim xreadgroup",
  "": "flushall flushdb setifgt setiflt setifne swapdb",
};

/** What {@linkcode describeEvent} knows of an event. */
export interface EventDescription {
  /** The name that was asked for. */
  name: string;
  /**
   * `"emitted"`: some server emits it. `"never"`: it is written of, and no server emits it.
   * `"unknown"`: neither is known, so it may come from a module or a newer server.
   */
  status: "emitted" | "never" | "unknown";
  /** The letter of its class in `notify-keyspace-events`, where it is emitted. */
  class: string | null;
  /** The servers that emit it, of Redis 7.0, 8.0, 8.6, 8.8 and Valkey 9.1. */
  servers: readonly string[];
  /** The commands it comes from, or in words what else makes it. */
  commands: readonly string[];
  /** What comes instead of a name that is never emitted; `null` also when nothing does. */
  instead: string | null;
  /** All this as one sentence, without a full stop. */
  text: string;
  /** The same as `text`, for templates. */
  toString(): string;
}

/**
 * Says what is known of an event.
 *
 * @param name The event's name.
 *
 * @example
 * ```ts
 * import { describeEvent } from "@keywatch/keywatch/parse";
 *
 * describeEvent("set").class; // "$"
 * describeEvent("zincrby").instead; // "zincr"
 * console.log(`${describeEvent("zincrby")}`);
 * ```
 */
export function describeEvent(name: EventName): EventDescription {
  let status: EventDescription["status"] = "unknown";
  let letter: string | null = null;
  let servers: string[] = [];
  let commands: string[] = [];
  let instead: string | null = null;
  let text = `"${name}" is in no list of events: only a module or a newer server may send it`;
  const index = NAMES.indexOf(name as KnownEvent);
  if (index >= 0) {
    status = "emitted";
    letter = CLASSES[index]!;
    const some = letter === "a" ? [3] : SOME_SERVERS[name];
    servers = SERVERS.filter((_, i) => !some || some.includes(i));
    commands = (CAUSES[name] ?? name.toUpperCase().replace("-", " ")).split(", ");
    text = `"${name}" is of class ${letter}, sent by ${servers.join(", ")} for ${
      commands.join(", ")
    }`;
  }
  for (const [events, names] of Object.entries(INSTEAD)) {
    if (names.split(" ").includes(name)) {
      status = "never";
      instead = events || null;
      text = `"${name}" is sent by no server; ` +
        (events ? `what comes instead is ${events}` : "nothing comes in its place");
    }
  }
  return { name, status, class: letter, servers, commands, instead, text, toString: () => text };
}
