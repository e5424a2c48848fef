import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseShards, parseSlots } from "../../cluster/discovery/discover_topology.ts";
import { formatSlots, TopologyError } from "../../cluster/mod.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { Secrets } from "../../pubsub/connection/secrets.ts";
import { readView } from "../../pubsub/sentinel/session.ts";
import type { Reply } from "../../resp/mod.ts";
import { ASKED, listed, repeated, shard, testTexts } from "./hostile_replies.ts";

// More than there are slots.
testTexts(20_000);

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

Deno.test("a slot that is listed twice in one shard counts once", () => {
  for (
    const [pairs, all] of [
      [[0, 5, 5, 9], "0-9"],
      [[0, 9, 0, 9], "0-9"],
      [[5, 9, 0, 5], "0-9"],
      [[0, 16_383, 7, 7], "0-16383"],
      [[5, 16_383, 0, 4], "0-16383"],
    ] as const
  ) {
    const rows = [0, 2].map((i) => [pairs[i]!, pairs[i + 1]!, ["127.0.0.1", 7000, "a"]]);
    for (
      const { shards } of [
        parseShards([shard([...pairs], listed("a"))], ASKED),
        parseShards([0, 2].map((i) => shard(pairs.slice(i, i + 2), listed("a"))), ASKED),
        parseSlots(rows, ASKED),
      ]
    ) assertEquals(shards.map(({ slots }) => formatSlots(slots)), [all]);
  }
  const many = repeated(2 * 16_385, () => 0);
  assertThrows(() => parseShards([shard(many, listed("a"))], ASKED), TopologyError, "more ranges");
});

Deno.test("more nodes than maxNodes are an error that names the option", () => {
  const reply = (count: number) => repeated(count, (i) => shard([i, i], listed(`${i}`)));
  const ranges = (count: number) => repeated(count, (i) => [i, i, ["127.0.0.1", 7000, `${i}`]]);
  assertEquals(parseShards(reply(1_000), ASKED).nodes.size, 1_000);
  assertEquals(parseShards([...reply(1_000), ...reply(10)], ASKED).nodes.size, 1_000);
  assertEquals(parseSlots(ranges(2), { ...ASKED, maxNodes: 2 }).nodes.size, 2);
  for (
    const read of [
      () => parseShards(reply(1_001), ASKED),
      () => parseShards(reply(3), { ...ASKED, maxNodes: 2 }),
      () => parseSlots(ranges(1_001), ASKED),
      () => parseSlots(ranges(3), { ...ASKED, maxNodes: 2 }),
    ]
  ) {
    const { message } = assertThrows(read, TopologyError);
    assert(/more than \d+ nodes, which the option maxNodes does not allow/.test(message), message);
  }
});
