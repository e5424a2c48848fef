import { assert } from "@std/assert";
import { parseShards, parseSlots } from "../../cluster/discovery/discover_topology.ts";
import { TopologyError } from "../../cluster/mod.ts";
import { parseMoves, parseNodeLines } from "../../cluster/members/report.ts";
import { parseInfo } from "../../pubsub/connection/info.ts";
import type { Reply } from "../../resp/mod.ts";

/** Who is asked. */
export const ASKED = { address: { hostname: "127.0.0.1", port: 7000 } };

/** What may be in a reply, in a size that the test chooses. */
export interface Hostile {
  readonly name: string;
  /** How large the smaller of the two replies is. */
  readonly size: number;
  readonly reply: (size: number) => Reply;
  readonly read: (reply: Reply) => unknown;
}

/** As many items. */
export function repeated<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

/** A node as `CLUSTER SHARDS` lists it. */
export function listed(id: string, role = "master"): Reply {
  return ["id", id, "port", 7000, "ip", "127.0.0.1", "endpoint", "127.0.0.1", "role", role];
}

/** A shard of `CLUSTER SHARDS`. */
export function shard(slots: Reply, ...nodes: Reply[]): Reply {
  return ["slots", slots, "nodes", nodes];
}

/** A node's own line of `CLUSTER NODES`, which ends with these words. */
export function own(...words: string[]): string {
  return ["a", "127.0.0.1:1@2", "myself,master", "-", "0", "0", "1", "connected", ...words].join(
    " ",
  );
}

function other(index: number): string {
  return `${index} 127.0.0.1:1@2 master - 0 0 1 connected ${index % 16_384}`;
}

/** A row of `CLUSTER MIGRATION STATUS`. */
export function move(fields: Record<string, Reply>): Reply {
  return Object.entries({
    id: "i",
    slots: "5",
    source: "s",
    operation: "import",
    state: "failed",
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
const info = (reply: Reply) => parseInfo(reply, ["redis_version", "server_name"]);

/** Replies of many kinds. */
export const HOSTILE: readonly Hostile[] = [
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
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, slots one by one",
    size: 2_000,
    reply: (size) => own(...repeated(size, (i) => `${2 * i}`)),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, slots that migrate again and again",
    size: 50_000,
    reply: (size) => own(repeated(size, (i) => `[${i % 16_384}->-b]`).join(" ")),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, empty lines",
    size: 2 ** 22,
    reply: (size) => "\n".repeat(size),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, other lines",
    size: 50_000,
    reply: (size) => repeated(size, other).join("\n"),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, the word alone",
    size: 500_000,
    reply: (size) => "myself,".repeat(size),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER NODES, lines with the word at a wrong place",
    size: 100_000,
    reply: (size) => "myself\n".repeat(size),
    read: parseNodeLines,
  },
  {
    name: "CLUSTER MIGRATION STATUS, rows",
    size: 500,
    reply: (size) => repeated(size, (i) => move({ id: `${i}` })),
    read: parseMoves,
  },
  {
    name: "CLUSTER MIGRATION STATUS, more rows than there can be",
    size: 50_000,
    reply: (size) => repeated(size, (i) => move({ id: `${i}` })),
    read: parseMoves,
  },
  {
    name: "CLUSTER MIGRATION STATUS, ranges",
    size: 100_000,
    reply: (size) => [move({ slots: "0-16383 ".repeat(size) })],
    read: parseMoves,
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
];

/**
 * Registers a test that long texts are read in pieces.
 *
 * @param size of them, in parts
 */
export function testTexts(size: number): void {
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
        const text = reply(size);
        if (typeof text === "string") read(text);
      }
      parseMoves([move({ slots: "0-16383 ".repeat(size) })]);
    } finally {
      Object.assign(String.prototype, { split, matchAll });
    }
    assert(most <= 16_385, `a list of ${most}`);
  });
}
