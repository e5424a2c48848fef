import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  formatSlots,
  parseNodes,
  parseSlotMoves,
  parseSlotStats,
  TopologyError,
} from "../../cluster/mod.ts";
import { type Reply, RespMap, ServerError, VerbatimString } from "../../resp/mod.ts";
import { recorded } from "./recordings.ts";

const ASKED = { hostname: "127.0.0.1", port: 7000 };

Deno.test("a node tells on its own line of CLUSTER NODES which slots are on the move", () => {
  const comes = recorded("CLUSTER NODES", "a slot comes by SETSLOT");
  const goes = recorded("CLUSTER NODES", "a slot goes by SETSLOT");
  assertEquals([comes.length, goes.length], [8, 8]);
  for (const [i, { server, reply }] of comes.entries()) {
    const target = parseNodes(reply, ASKED);
    const source = parseNodes(goes[i]!.reply, ASKED);
    assertEquals([...target.importing], [[8_000, source.id]], server);
    assertEquals([...source.migrating], [[8_000, target.id]], server);
    assertEquals([target.migrating.size, source.importing.size], [0, 0]);
    assertEquals([target.role, source.role], ["primary", "primary"]);
    // Until it has moved it is the source's.
    assertEquals(formatSlots(target.slots), "0-5460");
    assertEquals(formatSlots(source.slots), "5461-10922");
  }
});

Deno.test("CLUSTER NODES of a slot that moved as a whole names no slot on the move", () => {
  const moved = recorded("CLUSTER NODES", "a slot has come");
  assertEquals(moved.length, 4);
  for (const { reply } of moved) {
    const { slots, importing, migrating } = parseNodes(reply, ASKED);
    assertEquals([formatSlots(slots), importing.size, migrating.size], ["0-8191,16000", 0, 0]);
  }
});

Deno.test("an answer without the node's own line is a TopologyError", () => {
  const own = (words: string) => `a 127.0.0.1:1@2 myself,slave b 0 0 1 connected${words}`;
  const replica = parseNodes(own(""), ASKED);
  assertEquals([replica.id, replica.role, replica.slots], ["a", "replica", []]);
  const cases: [Reply, string][] = [
    ["", "no line is the node's own"],
    ["a 127.0.0.1:1@2 master - 0 0 1 connected 0-9", "no line is the node's own"],
    [null, "it is not a text"],
    [new ServerError("NOPERM no"), "it is an error, NOPERM no"],
    [own(" 5-1"), `"5-1" is not a range of slots`],
    [own(" 16384"), `"16384" is not a range of slots`],
    [own(" x"), `"x" is not a range of slots`],
  ];
  for (const [reply, why] of cases) {
    const error = assertThrows(() => parseNodes(reply, ASKED), TopologyError);
    assert(error.message.includes(` by CLUSTER NODES: ${why}; `), error.message);
  }
  assertEquals(parseNodes(new VerbatimString("txt", own("")), ASKED).id, "a");
});

Deno.test("moves of slots as a whole are told by both nodes", () => {
  for (const command of ["CLUSTER MIGRATION", "CLUSTER GETSLOTMIGRATIONS"]) {
    const come = recorded(command, "a slot has come");
    assertEquals(come.length, 2);
    for (const { reply } of come) {
      const [one, ...more] = parseSlotMoves(reply)!;
      assertEquals(more, []);
      assertEquals([formatSlots(one!.slots), one!.state, one!.isRetried], [
        "16000",
        "succeeded",
        false,
      ]);
      assertEquals([one!.id.length, one!.source?.length], [40, 40]);
    }
    const gone = recorded(command, "a slot has gone");
    for (const [i, { reply }] of gone.entries()) {
      const [move] = parseSlotMoves(come[i]!.reply)!;
      assertEquals(move!.direction, "in");
      // Redis calls it by the same name at both ends, and so does Valkey.
      const [same, ...more] = parseSlotMoves(reply)!;
      assertEquals([{ ...same!, created: 0 }, more.length], [
        { ...move!, direction: "out", created: 0 },
        0,
      ]);
      assert(Math.abs(same!.created - move!.created) < 10_000);
    }
    const none = recorded(command, "no slot has moved");
    assertEquals([gone.length, none.length], [2, 2]);
    for (const { reply } of none) assertEquals(parseSlotMoves(reply), []);
  }
});

Deno.test("a replica that took over names a move to its former primary, and not the source", () => {
  const state = "a slot has come to its former primary";
  const told = recorded("CLUSTER GETSLOTMIGRATIONS", state).map(({ reply }) => {
    const moves = parseSlotMoves(reply) ?? [];
    return moves.map(({ slots, direction, source, state }) => {
      return [formatSlots(slots), direction, source, state];
    });
  });
  assertEquals(told, Array(2).fill([["16000", "in", null, "succeeded"]]));
  // On Redis it tells of none.
  const none = recorded("CLUSTER MIGRATION", state).map(({ reply }) => parseSlotMoves(reply));
  assertEquals(none, [[], []]);
});

Deno.test("states of moves, several ranges, and answers that do not tell", () => {
  const move = (fields: Record<string, Reply>) => {
    const all = {
      id: "i",
      slots: "5",
      source: "s",
      operation: "import",
      state: "x",
      create_time: 1,
      ...fields,
    };
    return Object.entries(all).flat();
  };
  const one = (fields: Record<string, Reply>) => parseSlotMoves([move(fields)])?.[0];
  const states = ["completed", "success", "failed", "canceled", "cancelled", "wait-stream-eof"];
  assertEquals(states.map((state) => one({ state })?.state), [
    "succeeded",
    "succeeded",
    "failed",
    "failed",
    "failed",
    "running",
  ]);
  assertEquals(formatSlots(one({ slots: "16000-16001 16005" })!.slots), "16000-16001,16005");
  assertEquals(one({ retries: 2 })?.isRetried, true);
  assertEquals(one({ create_time: 1_795_220_334_448 })?.created, 1_795_220_334_448);
  assertEquals(one({ create_time: 1_795_220_334 })?.created, 1_795_220_334_000);
  assertEquals(one({ operation: "IMPORT" })?.direction, "in");
  for (const operation of ["migrate", "EXPORT"]) assertEquals(one({ operation })?.direction, "out");
  assertEquals(parseSlotMoves([new RespMap(move({}))])?.length, 1);
  assertEquals(parseSlotMoves(new ServerError("ERR unknown subcommand 'MIGRATION'")), []);
  for (const reply of [new ServerError("NOPERM no"), null, "x", [move({ slots: "x" })]]) {
    assertEquals(parseSlotMoves(reply), null);
  }
  for (const name of ["id", "source", "slots", "operation", "state", "create_time"]) {
    assertEquals(parseSlotMoves([move({ [name]: null })]), null, name);
  }
});

Deno.test("CLUSTER SLOT-STATS names the slots that the node owns", () => {
  const range = { first: 15_999, last: 16_001 };
  const owned = (state: string) =>
    recorded("CLUSTER SLOT-STATS", state).map(({ reply }) => parseSlotStats(reply, range));
  assertEquals(owned("no slot has moved"), Array(4).fill({ slots: [], asked: [range] }));
  const slots = [{ first: 16_000, last: 16_000 }];
  assertEquals(owned("a slot has come"), Array(4).fill({ slots, asked: [range] }));
  for (const reply of [new ServerError("ERR unknown subcommand"), null, [5], [["x"]]]) {
    assertEquals(parseSlotStats(reply, range), null);
  }
});
