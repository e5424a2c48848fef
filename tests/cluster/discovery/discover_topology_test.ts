import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  discoverTopology,
  mostFrequentView,
  type SendCommand,
  Topology,
  TopologyError,
} from "../../../cluster/discovery/mod.ts";
import { parseShards, parseSlots } from "../../../cluster/discovery/discover_topology.ts";
import { type Reply, RespMap, ServerError } from "../../../resp/mod.ts";
import { recorded } from "../recordings.ts";
import { node, shard } from "../shards.ts";

const ADDRESS = { hostname: "asked.example.com", port: 7000 };

/** How clients give the parts of a reply. */
interface Form {
  text: (text: string) => unknown;
  integer: (value: number) => unknown;
  map: (pairs: [unknown, unknown][]) => unknown;
}

const same = <T>(value: T): T => value;
const bytes = (text: string) => new TextEncoder().encode(text);

const FORMS: Record<string, Form> = {
  "maps as Map": { text: same, integer: same, map: (pairs) => new Map(pairs) },
  "maps as objects": {
    text: same,
    integer: same,
    map: (pairs) => Object.assign(Object.create(null), Object.fromEntries(pairs)),
  },
  "maps as names and values in turn": { text: same, integer: same, map: (pairs) => pairs.flat() },
  "maps as pairs": { text: same, integer: same, map: same },
  "maps as keys and values": {
    text: same,
    integer: same,
    map: (pairs) => pairs.map(([key, value]) => ({ key, value })),
  },
  "bytes and bigints": { text: bytes, integer: BigInt, map: (pairs) => new Map(pairs) },
  "bytes in arrays, and digits": { text: bytes, integer: String, map: (pairs) => pairs.flat() },
};

/** A reply in RESP3 as a client gives it. */
function formed(reply: Reply, form: Form): unknown {
  if (typeof reply === "string") return form.text(reply);
  if (typeof reply === "number") return form.integer(reply);
  if (Array.isArray(reply)) return reply.map((item) => formed(item, form));
  if (!(reply instanceof RespMap)) return reply;
  const items = reply.items.map((item) => formed(item, form));
  return form.map(
    Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]),
  );
}

/** A client that gives these replies in turn, and the commands it was given. */
function client(...replies: unknown[]): { sent: string[][]; sendCommand: SendCommand } {
  const sent: string[][] = [];
  const sendCommand = (...words: string[]) => {
    sent.push(words);
    const reply = replies.shift();
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { sent, sendCommand };
}

function comparable({ shards, primaries, nodes }: Topology): unknown {
  return { shards, primaries, nodes };
}

for (const [name, form] of Object.entries(FORMS)) {
  Deno.test(`reads the replies of a client that gives ${name}`, async () => {
    const shards = recorded("CLUSTER SHARDS").filter(({ protocol }) => protocol === 3);
    const slots = recorded("CLUSTER SLOTS").filter(({ protocol }) => protocol === 3);
    assert(shards.length >= 16 && slots.length >= 16);
    for (const { reply } of shards) {
      const { sent, sendCommand } = client(formed(reply, form));
      const topology = await discoverTopology(sendCommand, { address: ADDRESS });
      assertEquals(comparable(topology), comparable(parseShards(reply, { address: ADDRESS })));
      assertEquals(sent, [["CLUSTER", "SHARDS"]]);
    }
    for (const { reply } of slots) {
      const { sent, sendCommand } = client(new Error("ERR unknown"), formed(reply, form));
      const topology = await discoverTopology(sendCommand, { address: ADDRESS, tls: true });
      assertEquals(
        comparable(topology),
        comparable(parseSlots(reply, { address: ADDRESS, tls: true })),
      );
      assertEquals(sent, [["CLUSTER", "SHARDS"], ["CLUSTER", "SLOTS"]]);
    }
  });
}

const ROW = [0, 16_383, ["127.0.0.1", 7000, "a"]];

Deno.test("asks for the slots however the client reports that SHARDS failed", async () => {
  const failures: SendCommand[] = [
    () => Promise.reject(new Error("ERR unknown subcommand 'SHARDS'. Try CLUSTER HELP.")),
    () => Promise.reject("ERR Wrong CLUSTER subcommand or number of arguments"),
    () => Promise.resolve(new ServerError("NOPERM no rights")),
    () => {
      throw new Error("not supported");
    },
  ];
  for (const fail of failures) {
    const topology = await discoverTopology((...words) =>
      words[1] === "SHARDS" ? fail(...words) : Promise.resolve([ROW])
    );
    assertEquals(topology.ownerOf(0)?.id, "a");
  }
});

Deno.test("a node without a known host is at the address that was asked, or has none", async () => {
  const { sendCommand } = client(new Error("ERR no"), [[0, 9, [null, 7000, "a"]]]);
  const known = await discoverTopology(sendCommand, { address: ADDRESS });
  assertEquals(known.ownerOf(0)?.host, "asked.example.com");
  const unknown = await discoverTopology(
    client(new Error("ERR no"), [[0, 9, [null, 7000, "a"]]]).sendCommand,
  );
  assertEquals(unknown.ownerOf(0)?.host, null);
});

Deno.test("an error has a code, the node, the command, the reason and what to do", async () => {
  const lost = new Error("Socket closed unexpectedly");
  const denied = new Error("NOPERM User cid has no permissions to run the 'cluster|slots' command");
  const two = [[0, 0, ["h", 1, "a"]], [1, 1, ["h", 1, "b"]]];
  const cases: [replies: unknown[], code: string, message: string, cause?: Error][] = [
    [
      [denied, denied],
      "TOPOLOGY_DENIED",
      `by CLUSTER SLOTS: ${denied.message}; give the user the right to run it (ACL SETUSER … ` +
      "+cluster|shards or +cluster|slots)",
      denied,
    ],
    [
      [new Error("ERR no"), lost],
      "TOPOLOGY_UNAVAILABLE",
      "by CLUSTER SLOTS: Socket closed unexpectedly; check that this is a node of a cluster",
      lost,
    ],
    [
      [[]],
      "TOPOLOGY_MALFORMED",
      "by CLUSTER SHARDS: it names no node; try another node, and check that this one runs Redis " +
      "or Valkey",
    ],
    [
      [new Error("ERR no"), two],
      "TOPOLOGY_TOO_LARGE",
      "by CLUSTER SLOTS: it names more than 1 nodes, which the option maxNodes does not allow; " +
      "raise it if the cluster is that large",
    ],
  ];
  for (const [replies, code, message, cause] of cases) {
    for (const address of [ADDRESS, { path: "/run/redis.sock" }, undefined]) {
      const options = { maxNodes: 1, ...(address === undefined ? {} : { address }) };
      const error = await assertRejects(
        () => discoverTopology(client(...replies).sendCommand, options),
        TopologyError,
      );
      const server = address === undefined
        ? "the node"
        : "path" in address
        ? address.path
        : "asked.example.com:7000";
      assertEquals([error.code, error.server, error.cause], [code, server, cause]);
      assertEquals(error.message, `Cannot fetch the topology from ${server} ${message}`);
    }
  }
});

Deno.test("a message shows little of a reply, and nothing that drives a terminal", async () => {
  const long = new Error(`ERR \u001b[31m${"x".repeat(1_000)}`);
  const { message } = await assertRejects(
    () => discoverTopology(client(long, long).sendCommand),
    TopologyError,
  );
  assert(message.includes(`ERR ?[31m${"x".repeat(100)}`) && message.length < 400, message);
});

const FAILED = { health: "failed" } as const;
const [a, b, heir] = [node("a"), node("b"), node("heir")] as const;

/** Views of two shards, the second of which has failed over from `b` to `heir`. */
const stale = () => new Topology([shard(a, [[0, 9]]), shard(b, [[10, 19]])]);
const fresh = () => new Topology([shard(a, [[0, 9]]), shard(heir, [[10, 19]])]);
const failing = () => new Topology([shard(a, [[0, 9]]), shard(node("b", FAILED), [[10, 19]])]);

Deno.test("the most frequent view counts, wherever it stands", () => {
  for (const order of [[0, 1, 2], [0, 2, 1], [2, 0, 1]]) {
    const views = order.map((n) => [stale(), fresh(), fresh()][n]!);
    assertEquals(mostFrequentView(views).ownerOf(10), heir);
  }
  assertEquals(mostFrequentView([fresh(), stale(), fresh(), stale(), stale()]).ownerOf(10), b);
});

Deno.test("of equally frequent views the one with fewer failed primaries counts, then the first", () => {
  assertEquals(mostFrequentView([stale(), fresh()]).ownerOf(10), b);
  assertEquals(mostFrequentView([fresh(), stale()]).ownerOf(10), heir);
  assertEquals(mostFrequentView([failing(), fresh()]).ownerOf(10), heir);
  assertEquals(mostFrequentView([failing(), failing(), fresh()]).ownerOf(10)?.id, "b");
  // A node that takes another one for failed agrees on who owns what.
  assertEquals(mostFrequentView([failing(), fresh(), stale()]).ownerOf(10), b);
  assertThrows(() => mostFrequentView([]), TypeError, "there is none");
});

Deno.test("views have the same fingerprint exactly if primaries and owners are the same", () => {
  const { fingerprint } = stale();
  const replica = node("r", { role: "replica" });
  const alike = [
    failing(),
    new Topology([
      shard(node("b", { port: 2, replicationOffset: 9 }), [[10, 19]]),
      shard(a, [[0, 9]]),
    ]),
    new Topology([shard(a, [[0, 4], [5, 9]], replica), shard(b, [[10, 19]])]),
  ];
  for (const view of alike) assertEquals(view.fingerprint, fingerprint);
  const others = [
    fresh(),
    new Topology([shard(a, [[0, 10]]), shard(b, [[11, 19]])]),
    new Topology([shard(a, [[0, 9]]), shard(b, [[10, 19]]), shard(node("c"), [])]),
    new Topology([shard(a, [[0, 9]]), shard(b, [])]),
  ];
  for (const view of others) assert(view.fingerprint !== fingerprint, view.fingerprint);
});
