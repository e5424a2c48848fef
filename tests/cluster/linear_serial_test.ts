import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  formatSlots,
  mayLapse,
  Ownership,
  parseNodes,
  parseShards,
  parseSlotMoves,
  parseSlots,
  parseSlotStats,
  type Question,
  readCommandStats,
  type SlotMove,
  TopologyError,
} from "../../cluster/mod.ts";
import { askServed } from "../../cluster/served.ts";
import { parseInfo } from "../../pubsub/info.ts";
import type { Connection } from "../../pubsub/connection.ts";
import { Secrets } from "../../pubsub/secrets.ts";
import { readView } from "../../pubsub/sentinel_session.ts";
import type { Reply } from "../../resp/mod.ts";
import { growth } from "./growth.ts";

const ASKED = { hostname: "127.0.0.1", port: 7000 };

/** What may be in a reply, in a size that the test chooses. */
interface Hostile {
  readonly name: string;
  /** How large the smaller of the two replies is. */
  readonly size: number;
  readonly reply: (size: number) => Reply;
  readonly read: (reply: Reply) => unknown;
}

function repeated<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

function listed(id: string, role = "master"): Reply {
  return ["id", id, "port", 7000, "ip", "127.0.0.1", "endpoint", "127.0.0.1", "role", role];
}

function shard(slots: Reply, ...nodes: Reply[]): Reply {
  return ["slots", slots, "nodes", nodes];
}

function own(...words: string[]): string {
  return ["a", "127.0.0.1:1@2", "myself,master", "-", "0", "0", "1", "connected", ...words].join(
    " ",
  );
}

function other(index: number): string {
  return `${index} 127.0.0.1:1@2 master - 0 0 1 connected ${index % 16_384}`;
}

function move(fields: Record<string, Reply>): Reply {
  return Object.entries({
    id: "i",
    slots: "5",
    source: "s",
    operation: "import",
    state: "failed",
    create_time: 1,
    ...fields,
  }).flat();
}

/** Reads a reply; that it is refused is an answer too. */
function refusable(read: (reply: Reply) => unknown): (reply: Reply) => unknown {
  return (reply) => {
    try {
      return read(reply);
    } catch (error) {
      if (error instanceof TopologyError) return error;
      throw error;
    }
  };
}

const shards = refusable((reply) => parseShards(reply, ASKED));
const slots = refusable((reply) => parseSlots(reply, ASKED));
const nodes = refusable((reply) => parseNodes(reply, ASKED));
const stats = (reply: Reply) => parseSlotStats(reply, { first: 0, last: 16_383 });
const info = (reply: Reply) => parseInfo(reply, ["redis_version", "server_name"]);

const HOSTILE: readonly Hostile[] = [
  {
    name: "CLUSTER SHARDS, one range again and again",
    size: 50_000,
    reply: (size) => [shard(repeated(2 * size, (i) => i % 2 * 16_383), listed("a"))],
    read: shards,
  },
  {
    name: "CLUSTER SHARDS, slots one by one",
    size: 2_000,
    reply: (size) => [shard(repeated(2 * size, (i) => 2 * Math.floor(i / 2)), listed("a"))],
    read: shards,
  },
  {
    name: "CLUSTER SHARDS, every shard with all slots",
    size: 100,
    reply: (size) => repeated(size, (i) => shard([0, 16_383], listed(`${i}`))),
    read: shards,
  },
  {
    name: "CLUSTER SHARDS, one primary in every shard",
    size: 4_000,
    reply: (size) => repeated(size, (i) => shard([i % 16_384, 16_383], listed("a"))),
    read: shards,
  },
  {
    name: "CLUSTER SHARDS, shards without a node",
    size: 4_000,
    reply: (size) => [...repeated(size, () => shard([0, 16_383])), shard([], listed("a"))],
    read: shards,
  },
  {
    name: "CLUSTER SHARDS, many nodes",
    size: 200,
    reply: (size) => [shard([0, 16_383], ...repeated(size, (i) => listed(`${i}`)))],
    read: shards,
  },
  {
    name: "CLUSTER SLOTS, one range again and again",
    size: 4_000,
    reply: (size) => repeated(size, () => [0, 16_383, ["127.0.0.1", 7000, "a"]]),
    read: slots,
  },
  {
    name: "CLUSTER SLOTS, more rows than there can be",
    size: 50_000,
    reply: (size) => repeated(size, () => [0, 16_383, ["127.0.0.1", 7000, "a"]]),
    read: slots,
  },
  {
    name: "CLUSTER SLOTS, many nodes",
    size: 200,
    reply: (size) => [[0, 9, ...repeated(size, (i) => ["127.0.0.1", 7000, `${i}`])]],
    read: slots,
  },
  {
    name: "CLUSTER NODES, one range again and again",
    size: 50_000,
    reply: (size) => own(`0-16383${" 0-16383".repeat(size)}`),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, slots one by one",
    size: 2_000,
    reply: (size) => own(...repeated(size, (i) => `${2 * i}`)),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, slots on the move again and again",
    size: 50_000,
    reply: (size) => own(repeated(size, (i) => `[${i % 16_384}-<-b]`).join(" ")),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, empty lines",
    size: 2 ** 22,
    reply: (size) => "\n".repeat(size),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, other lines",
    size: 50_000,
    reply: (size) => repeated(size, other).join("\n"),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, the word alone",
    size: 500_000,
    reply: (size) => "myself,".repeat(size),
    read: nodes,
  },
  {
    name: "CLUSTER NODES, lines with the word at a wrong place",
    size: 100_000,
    reply: (size) => "myself\n".repeat(size),
    read: nodes,
  },
  {
    name: "CLUSTER MIGRATION STATUS, rows",
    size: 500,
    reply: (size) => repeated(size, (i) => move({ id: `${i}` })),
    read: parseSlotMoves,
  },
  {
    name: "CLUSTER MIGRATION STATUS, more rows than there can be",
    size: 50_000,
    reply: (size) => repeated(size, (i) => move({ id: `${i}` })),
    read: parseSlotMoves,
  },
  {
    name: "CLUSTER MIGRATION STATUS, ranges",
    size: 100_000,
    reply: (size) => [move({ slots: "0-16383 ".repeat(size) })],
    read: parseSlotMoves,
  },
  {
    name: "CLUSTER SLOT-STATS",
    size: 50_000,
    reply: (size) => repeated(size, (i) => [i % 16_384, []]),
    read: stats,
  },
  {
    name: "INFO, empty lines",
    size: 2 ** 22,
    reply: (size) => "\n".repeat(size),
    read: info,
  },
  {
    name: "INFO, fields",
    size: 100_000,
    reply: (size) => repeated(size, (i) => `a${i}:${i}\r\n`).join(""),
    read: info,
  },
  {
    name: "INFO, a field's name without a value",
    size: 100_000,
    reply: (size) => "\r\nredis_version".repeat(size),
    read: info,
  },
  {
    name: "INFO commandstats, one command again and again",
    size: 50_000,
    reply: (size) => `# Commandstats\r\n${"cmdstat_flushall:calls=1,usec=5\r\n".repeat(size)}`,
    read: readCommandStats,
  },
  {
    name: "INFO keyspace, databases",
    size: 20_000,
    reply: (size) => `# Keyspace\r\n${repeated(size, (i) => `db${i}:expires=0\r\n`).join("")}`,
    read: mayLapse,
  },
];

/** Less than the square of four, and more than four by enough for a busy machine. */
const MOST = 8;

for (const { name, size, reply, read } of HOSTILE) {
  Deno.test(`a reply takes time in proportion to its size: ${name}`, () => {
    const [small, large] = [reply(size), reply(4 * size)];
    const factor = growth(() => read(small), () => read(large), MOST);
    assert(factor < MOST, `four times the size takes ${factor.toFixed(1)} times the time`);
  });
}

Deno.test("moves of slots are heard in time in proportion to their number", () => {
  const told = (state: SlotMove["state"]) => (count: number) => {
    const moves = repeated(count, (i): SlotMove => ({
      id: `${i}`,
      slots: [{ first: 0, last: 16_383 }],
      direction: "in",
      source: "b",
      state,
      isRetried: false,
      created: i,
    }));
    const topology = (id: string) => parseShards([shard([0, 16_383], listed(id))], ASKED);
    return () => {
      const questions: Question[] = [];
      const sink = {
        decide() {},
        ask: (question: Question) => questions.push(question),
        renew() {},
      };
      const ownership = new Ownership<string>(sink);
      ownership.setTopology(topology("b"));
      ownership.open("a");
      const [begun] = questions.splice(0);
      assert(begun?.kind === "moves");
      begun.answer([]);
      ownership.setTopology(topology("c"));
      ownership.setTopology(topology("a"));
      const view = questions.find(({ kind }) => kind === "view");
      assert(view?.kind === "view");
      view.answer({
        role: "primary",
        slots: [],
        importing: new Map(),
        migrating: new Map(),
        moves,
      });
    };
  };
  for (const state of ["failed", "running", "succeeded"] as const) {
    const factor = growth(told(state)(2_000), told(state)(8_000), MOST);
    assert(factor < MOST, `four times as many that are ${state} take ${factor.toFixed(1)} times`);
  }
});

Deno.test("a text is never taken apart into a list that grows with it", () => {
  const { split, matchAll } = String.prototype;
  let most = 0;
  const counted = <Rest extends unknown[]>(method: (...rest: Rest) => Iterable<unknown>) =>
    function (this: string, ...rest: Rest) {
      const parts = [...method.apply(this, rest)];
      most = Math.max(most, parts.length);
      return parts;
    };
  Object.assign(String.prototype, { split: counted(split), matchAll: counted(matchAll) });
  try {
    for (const { reply, read } of HOSTILE) {
      const text = reply(100_000);
      if (typeof text === "string") read(text);
    }
    parseSlotMoves([move({ slots: "0-16383 ".repeat(100_000) })]);
  } finally {
    Object.assign(String.prototype, { split, matchAll });
  }
  assert(most <= 16_385, `a list of ${most}`);
});

Deno.test("the slots that a node serves are read in time in proportion to the answer", async () => {
  const served = (size: number) => {
    const line = own(...repeated(size, (i) => `${2 * i}`), "[16383-<-b]");
    const connection = { request: () => Promise.resolve(line) } as unknown as Connection;
    return askServed((question) => question(connection), ASKED);
  };
  assertEquals(formatSlots(await served(3)), "0,2,4,16383");
  assertEquals((await served(8_000)).length, 8_001);
});

Deno.test("of however many sentinels that one names few are kept", async () => {
  const named = repeated(100_000, (i) => ["ip", `10.0.${i >> 8}.${i & 255}`, "port", "26379"]);
  const answers: Record<string, Reply> = {
    "GET-MASTER-ADDR-BY-NAME": ["127.0.0.1", "6379"],
    "MASTER": ["config-epoch", "1"],
    "SENTINELS": [["ip", "10.0.0.1", "port", "26379", "flags", "s_down,sentinel"], ...named],
  };
  const connection = {
    server: "127.0.0.1:26379",
    secrets: new Secrets(),
    request: (_: string, subcommand: string) => Promise.resolve(answers[subcommand]!),
  } as unknown as Connection;
  const { others } = (await readView(connection, "mymaster"))!;
  assertEquals(others!.length, 32);
  assertEquals(others![0], { hostname: "10.0.0.0", port: 26_379 });
});

Deno.test("a slot that is listed twice in one shard, or on one line, is an error", () => {
  const refused = (read: () => unknown, why: string) => {
    const { message } = assertThrows(read, TopologyError);
    assert(message.includes(why), message);
  };
  const twice = "it lists a slot of a shard twice";
  for (const pairs of [[0, 5, 5, 9], [0, 9, 0, 9], [5, 9, 0, 5], [0, 16_383, 7, 7]]) {
    refused(() => parseShards([shard(pairs, listed("a"))], ASKED), twice);
    refused(() => parseNodes(own(`${pairs[0]}-${pairs[1]}`, `${pairs[2]}-${pairs[3]}`), ASKED), "");
    const rows = [0, 2].map((i) => [pairs[i]!, pairs[i + 1]!, ["127.0.0.1", 7000, "a"]]);
    refused(() => parseSlots(rows, ASKED), twice);
    const text = `${pairs[0]}-${pairs[1]} ${pairs[2]}-${pairs[3]}`;
    assertEquals(parseSlotMoves([move({ slots: text })]), null);
  }
  const all = parseShards([shard([5, 16_383, 0, 4], listed("a"))], ASKED);
  assertEquals(formatSlots(all.shards[0]!.slots), "0-4,5-16383");
});

Deno.test("more nodes than maxNodes are an error that names the option", () => {
  const reply = (count: number) => repeated(count, (i) => shard([i, i], listed(`${i}`)));
  const ranges = (count: number) => repeated(count, (i) => [i, i, ["127.0.0.1", 7000, `${i}`]]);
  assertEquals(parseShards(reply(1_000), ASKED).nodes.size, 1_000);
  assertEquals(parseShards([...reply(1_000), ...reply(10)], ASKED).nodes.size, 1_000);
  assertEquals(parseSlots(ranges(2), ASKED, { maxNodes: 2 }).nodes.size, 2);
  for (
    const read of [
      () => parseShards(reply(1_001), ASKED),
      () => parseShards(reply(3), ASKED, { maxNodes: 2 }),
      () => parseSlots(ranges(1_001), ASKED),
      () => parseSlots(ranges(3), ASKED, { maxNodes: 2 }),
    ]
  ) {
    const { message } = assertThrows(read, TopologyError);
    assert(/more than \d+ nodes, which the option maxNodes does not allow/.test(message), message);
  }
});
