import { assertEquals, assertMatch } from "@std/assert";
import { describeEvent, EventType } from "../../events/mod.ts";
import type { KnownEvent } from "../../parse/mod.ts";

const OLD = ["Redis 7.0", "Valkey 8.1", "Redict 7.3"];
const ALL = [
  ...["Redis 7.0", "Redis 8.0", "Redis 8.6", "Redis 8.8"],
  ...["Valkey 8.1", "Valkey 9.1", "Redict 7.3"],
];
const HASH_FIELD_EXPIRY = ALL.filter((server) => !OLD.includes(server));
const OVERWRITES = ["Redis 8.6", "Redis 8.8"];
const ARRAYS = ["Redis 8.8"];

/** Which servers emit which event, by what was seen on them. */
const emitted: Record<KnownEvent, [letter: string, servers: string[]]> = {
  append: ["$", ALL],
  incrby: ["$", ALL],
  incrbyfloat: ["$", ALL],
  pfadd: ["$", ALL],
  set: ["$", ALL],
  setbit: ["$", ALL],
  setrange: ["$", ALL],
  copy_to: ["g", ALL],
  del: ["g", ALL],
  expire: ["g", ALL],
  move_from: ["g", ALL],
  move_to: ["g", ALL],
  persist: ["g", ALL],
  rename_from: ["g", ALL],
  rename_to: ["g", ALL],
  restore: ["g", ALL],
  linsert: ["l", ALL],
  lpop: ["l", ALL],
  lpush: ["l", ALL],
  lrem: ["l", ALL],
  lset: ["l", ALL],
  ltrim: ["l", ALL],
  rpop: ["l", ALL],
  rpush: ["l", ALL],
  sortstore: ["l", ALL],
  sadd: ["s", ALL],
  sdiffstore: ["s", ALL],
  sinterstore: ["s", ALL],
  spop: ["s", ALL],
  srem: ["s", ALL],
  sunionstore: ["s", ALL],
  hdel: ["h", ALL],
  hexpire: ["h", HASH_FIELD_EXPIRY],
  hexpired: ["h", HASH_FIELD_EXPIRY],
  hincrby: ["h", ALL],
  hincrbyfloat: ["h", ALL],
  hpersist: ["h", HASH_FIELD_EXPIRY],
  hset: ["h", ALL],
  georadiusstore: ["z", ALL],
  geosearchstore: ["z", ALL],
  zadd: ["z", ALL],
  zdiffstore: ["z", ALL],
  zincr: ["z", ALL],
  zinterstore: ["z", ALL],
  zpopmax: ["z", ALL],
  zpopmin: ["z", ALL],
  zrangestore: ["z", ALL],
  zrem: ["z", ALL],
  zremrangebylex: ["z", ALL],
  zremrangebyrank: ["z", ALL],
  zremrangebyscore: ["z", ALL],
  zunionstore: ["z", ALL],
  xadd: ["t", ALL],
  xdel: ["t", ALL],
  "xgroup-create": ["t", ALL],
  "xgroup-createconsumer": ["t", ALL],
  "xgroup-delconsumer": ["t", ALL],
  "xgroup-destroy": ["t", ALL],
  "xgroup-setid": ["t", ALL],
  xsetid: ["t", ALL],
  xtrim: ["t", ALL],
  expired: ["x", ALL],
  evicted: ["e", ALL],
  keymiss: ["m", ALL],
  new: ["n", ALL],
  overwritten: ["o", OVERWRITES],
  type_changed: ["c", OVERWRITES],
  ardel: ["a", ARRAYS],
  ardelrange: ["a", ARRAYS],
  arinsert: ["a", ARRAYS],
  armset: ["a", ARRAYS],
  arring: ["a", ARRAYS],
  arseek: ["a", ARRAYS],
  arset: ["a", ARRAYS],
};

/** Names that documents and clients list and no server emits, and what comes instead. */
const never: Record<string, string> = {
  setnx: "set",
  incr: "incrby",
  decr: "incrby",
  decrby: "incrby",
  unlink: "del",
  rename: "rename_from, rename_to",
  move: "move_from, move_to",
  copy: "copy_to",
  expireat: "expire",
  pexpire: "expire",
  pexpireat: "expire",
  lmove: "lpush or rpush, then lpop or rpop",
  blpop: "lpop",
  brpop: "rpop",
  blmove: "lpush or rpush, then lpop or rpop",
  rpoplpush: "lpush, rpop",
  brpoplpush: "lpush, rpop",
  lmpop: "lpop or rpop",
  blmpop: "lpop or rpop",
  setex: "set, expire",
  psetex: "set, expire",
  msetex: "set and expire",
  hsetex: "hset, hexpire",
  hgetex: "hexpire or hpersist",
  smove: "srem, sadd",
  zincrby: "zincr",
  bzpopmin: "zpopmin",
  bzpopmax: "zpopmax",
  zmpop: "zpopmin or zpopmax",
  bzmpop: "zpopmin or zpopmax",
  zrembyrank: "zremrangebyrank",
  zrembyscore: "zremrangebyscore",
  zrembylex: "zremrangebylex",
  hsetnx: "hset",
  hmset: "hset",
  hpexpire: "hexpire",
  xclaim: "xgroup-createconsumer",
  xautoclaim: "xgroup-createconsumer",
  xreadgroup: "xgroup-createconsumer",
  getex: "expire or persist",
  getdel: "del",
  getset: "set",
  mset: "set",
  bitop: "set",
  bitfield: "setbit",
  geoadd: "zadd",
  pfmerge: "pfadd",
  setifgt: "nothing",
  setiflt: "nothing",
  setifeq: "set",
  setifne: "nothing",
  flushdb: "nothing",
  flushall: "nothing",
  swapdb: "nothing",
};

Deno.test("the constants are the events that some server emits, and no others", () => {
  assertEquals(Object.values(EventType).sort(), Object.keys(emitted).sort() as KnownEvent[]);
  for (const [name, event] of Object.entries(EventType)) {
    assertEquals(name, event.toUpperCase().replace("-", "_"));
  }
  assertEquals(EventType.XGROUP_CREATECONSUMER, "xgroup-createconsumer");
});

Deno.test("an event that is emitted is described with its class, servers and commands", () => {
  for (const [event, [letter, servers]] of Object.entries(emitted)) {
    const found = describeEvent(event);
    assertEquals(
      [found.name, found.class, found.servers, found.instead],
      [event, letter, servers, null],
    );
    assertEquals(found.commands.length > 0, true, event);
    for (const command of found.commands) assertMatch(command, /^([A-Z-]+( [A-Z]+)*|a [a-z' ]+)$/);
  }
  const commands: [KnownEvent, string[]][] = [
    ["append", ["APPEND"]],
    ["incrby", ["INCRBY", "INCR", "DECR", "DECRBY"]],
    ["zincr", ["ZINCRBY", "ZADD INCR"]],
    ["xgroup-create", ["XGROUP CREATE"]],
    ["rename_to", ["RENAME", "RENAMENX"]],
    ["copy_to", ["COPY"]],
    ["sortstore", ["SORT STORE"]],
  ];
  for (const [event, wanted] of commands) assertEquals(describeEvent(event).commands, wanted);
  assertMatch(describeEvent("zincr").text, /zincr.*Redis 7\.0.*Valkey 9\.1.*ZINCRBY/);
});

Deno.test("a name that is never emitted is described with what comes instead", () => {
  for (const [name, instead] of Object.entries(never)) {
    const found = describeEvent(name);
    assertEquals(
      [found.name, found.class, found.servers, found.commands, found.instead],
      [name, null, [], [], instead],
    );
    assertEquals(found.text.includes(name) && found.text.includes(instead), true, found.text);
  }
  assertMatch(describeEvent("zincrby").text, /zincrby .*no server.* zincr$/);
});

Deno.test("a name in capitals is described with the event, which is in small letters", () => {
  for (const event of Object.values(EventType)) {
    for (const name of [event.toUpperCase(), event[0]!.toUpperCase() + event.slice(1)]) {
      const { class: letter, instead, text } = describeEvent(name);
      assertEquals([letter, instead], [null, event]);
      assertMatch(text, /is sent by no server/);
    }
  }
  assertEquals(describeEvent("SETEX").instead, "set, expire");
});

Deno.test("a name that is not known may come from a module", () => {
  for (const name of ["json.set", "", "a", "toString", "__proto__", "set ", "ex"]) {
    const found = describeEvent(name);
    assertEquals([found.class, found.instead], [null, null], name);
    assertMatch(found.text, /module/);
  }
});
