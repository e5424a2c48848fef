/**
 * The names of the events that servers emit, by the name in capitals.
 *
 * @example
 * ```ts
 * import { EventType } from "@keywatch/keywatch/events";
 * import type { EventNames } from "@keywatch/keywatch/parse";
 *
 * const names: EventNames = EventType;
 * names.RENAME_FROM; // "rename_from"
 * ```
 */
export type EventNames = {
  readonly SET: "set";
  readonly APPEND: "append";
  readonly INCRBY: "incrby";
  readonly INCRBYFLOAT: "incrbyfloat";
  readonly SETRANGE: "setrange";
  readonly SETBIT: "setbit";
  readonly PFADD: "pfadd";
  readonly DEL: "del";
  readonly EXPIRE: "expire";
  readonly PERSIST: "persist";
  readonly RENAME_FROM: "rename_from";
  readonly RENAME_TO: "rename_to";
  readonly MOVE_FROM: "move_from";
  readonly MOVE_TO: "move_to";
  readonly COPY_TO: "copy_to";
  readonly RESTORE: "restore";
  readonly LPOP: "lpop";
  readonly RPOP: "rpop";
  readonly LPUSH: "lpush";
  readonly RPUSH: "rpush";
  readonly LINSERT: "linsert";
  readonly LSET: "lset";
  readonly LREM: "lrem";
  readonly LTRIM: "ltrim";
  readonly SORTSTORE: "sortstore";
  readonly SREM: "srem";
  readonly SADD: "sadd";
  readonly SPOP: "spop";
  readonly SDIFFSTORE: "sdiffstore";
  readonly SINTERSTORE: "sinterstore";
  readonly SUNIONSTORE: "sunionstore";
  readonly HSET: "hset";
  readonly HDEL: "hdel";
  readonly HINCRBY: "hincrby";
  readonly HINCRBYFLOAT: "hincrbyfloat";
  readonly HEXPIRE: "hexpire";
  readonly HEXPIRED: "hexpired";
  readonly HPERSIST: "hpersist";
  readonly ZADD: "zadd";
  readonly ZINCR: "zincr";
  readonly ZREM: "zrem";
  readonly ZREMRANGEBYRANK: "zremrangebyrank";
  readonly ZREMRANGEBYSCORE: "zremrangebyscore";
  readonly ZREMRANGEBYLEX: "zremrangebylex";
  readonly ZPOPMIN: "zpopmin";
  readonly ZPOPMAX: "zpopmax";
  readonly ZRANGESTORE: "zrangestore";
  readonly ZDIFFSTORE: "zdiffstore";
  readonly ZINTERSTORE: "zinterstore";
  readonly ZUNIONSTORE: "zunionstore";
  readonly GEOSEARCHSTORE: "geosearchstore";
  readonly GEORADIUSSTORE: "georadiusstore";
  readonly XADD: "xadd";
  readonly XDEL: "xdel";
  readonly XTRIM: "xtrim";
  readonly XSETID: "xsetid";
  readonly XGROUP_CREATE: "xgroup-create";
  readonly XGROUP_DESTROY: "xgroup-destroy";
  readonly XGROUP_SETID: "xgroup-setid";
  readonly XGROUP_CREATECONSUMER: "xgroup-createconsumer";
  readonly XGROUP_DELCONSUMER: "xgroup-delconsumer";
  readonly EXPIRED: "expired";
  readonly EVICTED: "evicted";
  readonly KEYMISS: "keymiss";
  readonly NEW: "new";
  readonly OVERWRITTEN: "overwritten";
  readonly TYPE_CHANGED: "type_changed";
  readonly ARSET: "arset";
  readonly ARMSET: "armset";
  readonly ARINSERT: "arinsert";
  readonly ARRING: "arring";
  readonly ARSEEK: "arseek";
  readonly ARDEL: "ardel";
  readonly ARDELRANGE: "ardelrange";
};

/**
 * The name of an event that some server emits.
 *
 * @example
 * ```ts
 * import type { KnownEvent } from "@keywatch/keywatch/parse";
 *
 * const labels: Partial<Record<KnownEvent, string>> = { del: "deleted", expired: "ran out" };
 * ```
 */
export type KnownEvent = EventNames[keyof EventNames];

/**
 * The name of any event. Modules and newer servers emit more than the known ones.
 *
 * @example
 * ```ts
 * import { type EventName, KeyeventChannel } from "@keywatch/keywatch/parse";
 *
 * const events: EventName[] = ["expired", "json.set"];
 * const channels = events.map((event) => new KeyeventChannel(event));
 * ```
 */
export type EventName = KnownEvent | (string & Record<never, never>);

/**
 * The name of an event as a notification has it: a known one, or one of a module, such as `json.set`.
 *
 * It is a type without other names, so that a comparison narrows it, and one with a misspelt event does
 * not compile. A server newer than this library, or a module, may send other names all the same: compare
 * `String(eventType)` with these.
 *
 * @example
 * ```ts
 * import type { KeyNotification, ReceivedEvent } from "@keywatch/keywatch/parse";
 *
 * const GONE: readonly ReceivedEvent[] = ["del", "expired", "evicted", "json.del"];
 * const isGone = ({ eventType }: KeyNotification): boolean => GONE.includes(eventType);
 * ```
 */
export type ReceivedEvent = KnownEvent | `${string}.${string}`;
