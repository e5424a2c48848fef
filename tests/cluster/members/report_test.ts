import { assertEquals } from "@std/assert";
import { parseShards } from "../../../cluster/discovery/discover_topology.ts";
import { formatSlots } from "../../../cluster/mod.ts";
import {
  parseClusterInfo,
  parseMoves,
  parseNodeLines,
  requestReport,
} from "../../../cluster/members/report.ts";
import type { Connection } from "../../../pubsub/connection/connection.ts";
import { type Reply, RespMap, ServerError } from "../../../resp/mod.ts";
import { move, own, repeated } from "../hostile_replies.ts";
import { recorded } from "../recordings.ts";

Deno.test("a node names the slots that it gives away or takes in key by key, and counts all nodes", () => {
  const comes = recorded("CLUSTER NODES", "a slot comes by SETSLOT");
  const goes = recorded("CLUSTER NODES", "a slot goes by SETSLOT");
  const shards = recorded("CLUSTER SHARDS", "a slot comes by SETSLOT");
  assertEquals([comes.length, goes.length], [8, 8]);
  for (const [i, { server, reply }] of comes.entries()) {
    const target = parseNodeLines(reply)!;
    const source = parseNodeLines(goes[i]!.reply)!;
    assertEquals([...target.importing], [8_000], server);
    assertEquals([...source.importing], [], server);
    const { nodes } = parseShards(shards[i]!.reply, {});
    assertEquals([target.known, source.known], [nodes.size, nodes.size], server);
  }
});

Deno.test("other nodes' lines name no slots on their way", () => {
  const others = "b 127.0.0.1:2@3 master - 0 0 1 connected 5 [6->-c]\n";
  const text = `${others}${own("7", "[8->-b]", "[9-<-b]")}\n`;
  assertEquals(parseNodeLines(text), {
    known: 2,
    slots: [{ first: 7, last: 7 }],
    importing: new Set([9]),
    sends: new Map([[8, "b"]]),
    primary: null,
  });
});

Deno.test("a replica names the primary that it follows", () => {
  const line = "b 127.0.0.1:2@3 myself,slave c 0 0 1 connected";
  assertEquals(parseNodeLines(line)?.primary, "c");
  assertEquals(parseNodeLines(`${own("7")}\n`)?.primary, null);
});

Deno.test("a node that follows nobody by the time at which it is asked for that is a primary", async () => {
  const roleWith = async (lines: Reply) => {
    const replies: Record<string, Reply> = {
      "HELLO 3": new RespMap(["role", "replica"]),
      "CLUSTER INFO": "cluster_known_nodes:2\r\n",
      "CLUSTER NODES": lines,
    };
    const send = (...words: string[]) => Promise.resolve(replies[words.join(" ")]!);
    const { report } = await requestReport({ send } as unknown as Connection, 3, false, []);
    return report.role;
  };
  assertEquals(await roleWith("b 127.0.0.1:2@3 myself,slave c 0 0 1 connected"), "replica");
  assertEquals(await roleWith(`${own("7")}\n`), "primary");
  assertEquals(await roleWith(null), "replica");
});

Deno.test("a reply to CLUSTER NODES without the node's own line says nothing", () => {
  const other = "a 127.0.0.1:1@2 master - 0 0 1 connected 0-9";
  for (const reply of ["", other, null, 5, new ServerError("NOPERM no")] satisfies Reply[]) {
    assertEquals(parseNodeLines(reply), null);
  }
});

Deno.test("both nodes list an atomic migration that is over", () => {
  for (const command of ["CLUSTER MIGRATION", "CLUSTER GETSLOTMIGRATIONS"]) {
    const come = recorded(command, "a slot has come");
    const gone = recorded(command, "a slot has gone");
    assertEquals([come.length, gone.length], [2, 2]);
    for (const [i, { reply }] of come.entries()) {
      const [one, ...more] = parseMoves(reply)!;
      assertEquals([one!.direction, one!.state, formatSlots(one!.slots), more.length], [
        "in",
        "succeeded",
        "16000",
        0,
      ]);
      assertEquals([one!.id.length, one!.source!.length], [40, 40]);
      assertEquals(parseMoves(gone[i]!.reply), [{ ...one!, direction: "out" }]);
    }
    for (const { reply } of recorded(command, "no slot has moved")) {
      assertEquals(parseMoves(reply), []);
    }
  }
});

Deno.test("states and directions of migrations, several ranges, and replies that say nothing", () => {
  const one = (fields: Record<string, Reply>) => parseMoves([move(fields)])?.[0];
  const states = ["completed", "success", "failed", "canceled", "cancelled", "wait-stream-eof"];
  assertEquals(states.map((state) => one({ state })!.state), [
    "succeeded",
    "succeeded",
    "failed",
    "failed",
    "failed",
    "running",
  ]);
  assertEquals(formatSlots(one({ slots: "16000-16001 16005" })!.slots), "16000-16001,16005");
  for (const [operation, direction] of [["IMPORT", "in"], ["migrate", "out"], ["EXPORT", "out"]]) {
    assertEquals(one({ operation: operation! })!.direction, direction);
  }
  assertEquals(one({ source: null })!.source, null);
  assertEquals(parseMoves([new RespMap(move({}) as Reply[])])?.length, 1);
  assertEquals(parseMoves(new ServerError("ERR unknown subcommand 'MIGRATION'")), []);
  for (const slots of ["x", "5-1", "16384", "0-16384", ""]) {
    assertEquals(parseMoves([move({ slots })]), null, slots);
  }
  for (const reply of [new ServerError("NOPERM no"), null, "x", [5]] satisfies Reply[]) {
    assertEquals(parseMoves(reply), null);
  }
  for (const name of ["id", "slots", "operation", "state"]) {
    assertEquals(parseMoves([move({ [name]: null })]), null, name);
  }
});

Deno.test("more migrations, or more ranges, than a server can list are refused", () => {
  const moves = (count: number) => parseMoves(repeated(count, (i) => move({ id: `${i}` })));
  assertEquals([moves(2_048)?.length, moves(2_049)], [2_048, null]);
  const ranges = (count: number) => [move({ slots: repeated(count, (i) => i).join(" ") })];
  assertEquals(parseMoves(ranges(16_384))?.length, 1);
  assertEquals(parseMoves([...ranges(16_384), move({})]), null);
});

Deno.test("a node says how many others it knows, and the epoch", () => {
  const text = "cluster_known_nodes:7\r\ncluster_current_epoch:12\r\ncluster_my_epoch:3\r\n";
  assertEquals(parseClusterInfo(`cluster_state:ok\r\n${text}`), {
    known: 7,
    epoch: 12,
    ownEpoch: 3,
  });
  for (
    const reply of ["cluster_state:ok", "cluster_known_nodes:x", null, new ServerError("NOPERM")]
  ) {
    assertEquals(parseClusterInfo(reply), { known: null, epoch: null, ownEpoch: null });
  }
});
