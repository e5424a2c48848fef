import type { EventName, EventNames } from "../parse/mod.ts";

/**
 * What servers emit. A row is a class with its letter in `notify-keyspace-events`, and, if not all
 * of `SERVERS` emit its events, the indexes of those that do; then its events. After `+` come the
 * commands an event is emitted for beside the one of its own name, after `=` those without it, with
 * `_` for a space; what begins with `a_` is no command. The last row is of names that no server emits:
 * what comes instead, where the rows above do not tell or not in which order.
 */
const CATALOGUE = `
$ set+setex+psetex+setnx+mset+msetnx+msetex+getset+bitop append incrby+incr+decr+decrby incrbyfloat setrange setbit+bitfield pfadd+pfmerge
g del+unlink+getdel+delex+delifeq expire+pexpire+expireat+pexpireat+setex+psetex+msetex+set_ex+getex persist+getex_persist rename_from=rename+renamenx rename_to=rename+renamenx move_from=move move_to=move copy_to=copy restore+restore-asking
l lpop!+lmpop!+lmove! rpop!+lmpop!+lmove!+rpoplpush! lpush+lpushx+lmove!+rpoplpush! rpush+rpushx+lmove! linsert lset lrem ltrim sortstore=sort_store
s srem+smove sadd+smove spop sdiffstore sinterstore sunionstore
h hset+hsetnx+hmset+hsetex hdel+hgetdel hincrby hincrbyfloat
h1234 hexpire+hpexpire+hexpireat+hpexpireat+hsetex+hgetex hexpired=a_field's_time_to_live_over hpersist+hgetex_persist
z zadd+geoadd zincr=zincrby+zadd_incr zrem zremrangebyrank zremrangebyscore zremrangebylex zpopmin!+zmpop! zpopmax!+zmpop! zrangestore zdiffstore zinterstore zunionstore geosearchstore georadiusstore=georadius_store+georadiusbymember_store
t xadd xdel+xdelex+xackdel xtrim+xadd_maxlen+xadd_minid xsetid xgroup-create xgroup-destroy xgroup-setid xgroup-createconsumer+xreadgroup+xclaim+xautoclaim xgroup-delconsumer
x expired=a_time_to_live_over
e evicted=a_full_memory
m keymiss=a_read_of_no_key
n new=a_key_made
o23 overwritten=a_value_replaced
c23 type_changed=a_type_replaced
a3 arset armset arinsert arring arseek ardel ardelrange
- zremrangebyrank=zrembyrank zremrangebyscore=zrembyscore zremrangebylex=zrembylex set=setifeq expire_or_persist=getex hexpire_or_hpersist=hgetex lpush,_rpop=rpoplpush! lpush_or_rpush,_then_lpop_or_rpop=lmove! lpop_or_rpop=lmpop! zpopmin_or_zpopmax=zmpop! set_and_expire=msetex nothing=setifgt+setiflt+setifne+flushdb+flushall+swapdb`;

/** The servers that were looked at: Redis 8.8 in its source, the others live. */
const SERVERS = ["Redis 7.0", "Redis 8.0", "Redis 8.6", "Redis 8.8", "Valkey 9.1"];

/**
 * What {@linkcode describeEvent} knows of an event.
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
  /** The name that was asked for. */
  name: string;
  /** The letter of its class in `notify-keyspace-events`, or `null` when no server emits it. */
  class: string | null;
  /**
   * Which of Redis 7.0, 8.0, 8.6, 8.8 and Valkey 9.1 emit it, as was seen on them live; but for
   * Redis 8.8, of which it is known from its source.
   */
  servers: readonly string[];
  /** The commands it comes from; what begins with `a` is no command but says what happened. */
  commands: readonly string[];
  /**
   * What comes instead of a name that no server emits: `"rename_from, rename_to"`, one after the
   * other; `"expire or persist"`, one of them; `"lpush or rpush, then lpop or rpop"`; `"nothing"`.
   * `null` for an event that is emitted, and for a name that is not known at all.
   */
  instead: string | null;
  /** Who sends it for which commands, or what comes instead, in one sentence. */
  text: string;
}

/** The catalogue; in the row of `-` what comes instead of names that are no commands. */
function readCatalogue(): EventDescription[] {
  return CATALOGUE.trim().split("\n").flatMap((row) => {
    const [head, ...events] = row.split(" ");
    const servers = SERVERS.filter((_, i) => !head![1] || head!.includes(`${i}`));
    return events.map((entry) => {
      const event = entry.replace(/(\w+)!/g, "$1+b$1");
      const [name, ...others] = event.split(/[+=]/);
      const commands = [...event.includes("=") ? [] : [name!.replace("-", "_")], ...others]
        .map((text) => text.replaceAll("_", " ").replace(/^(?!a ).*/, (it) => it.toUpperCase()));
      return {
        name: name!,
        class: head![0]!,
        servers,
        commands,
        instead: null,
        text: `${name} is sent by ${servers.join(", ")} for ${commands.join(", ")}`,
      };
    });
  });
}

// Marked as pure, so that bundlers leave the catalogue out where it is not used.
const ROWS = /* @__PURE__ */ readCatalogue();

/** What servers emit. */
export const EVENTS: readonly EventDescription[] = /* @__PURE__ */ ROWS.filter((row) =>
  row.class !== "-"
);

/**
 * The events that servers emit, each seen on a server or in its source.
 *
 * Names that documents list and no server emits are left out on purpose, because a subscription to
 * one waits for ever: {@linkcode describeEvent} says what comes instead.
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
 * Says what is known of an event.
 *
 * @param name The event's name, in small letters as servers send it; in capitals none does.
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
  // A command without an event of its own name is emitted under the names it stands beside.
  const found = ROWS.filter(({ commands }) =>
    commands.some((command) => command.split(" ")[0] === capitals)
  );
  const instead = known?.name ??
    found.find((row) => row.class === "-")?.name.replaceAll("_", " ") ??
    (found.map((row) => row.name).join(", ") || null);
  const text = name +
    (instead
      ? ` is sent by no server: what comes instead is ${instead}`
      : " is not known: only a module or a newer server may send it");
  return { name, class: null, servers: [], commands: [], instead, text };
}
