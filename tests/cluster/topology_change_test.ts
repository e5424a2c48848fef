import { assert, assertEquals } from "@std/assert";
import fc from "npm:fast-check@4.10.2";
import {
  difference,
  formatSlots,
  type PrimaryChange,
  type SlotRange,
  Topology,
} from "../../cluster/mod.ts";
import { node, shard } from "./shards.ts";

function told(changes: readonly PrimaryChange[]): string[] {
  return changes.map(({ node, gained, lost }) =>
    `${node.id}+${formatSlots(gained)}-${formatSlots(lost)}`
  );
}

const BEFORE = new Topology([
  shard(node("a"), [[0, 99]], node("ra", { role: "replica" })),
  shard(node("b"), [[100, 199]]),
  shard(node("c"), []),
]);

Deno.test("two views that tell the same have no difference", () => {
  const after = new Topology([
    shard(node("c", { health: "unknown" }), []),
    shard(node("b", { replicationOffset: 77 }), [[100, 150], [151, 199]]),
    shard(node("a"), [[0, 99]], node("ra", { role: "replica" }), node("rb", { role: "replica" })),
  ]);
  assertEquals(difference(BEFORE, after), {
    added: [],
    removed: [],
    moved: [],
    roles: [],
    addresses: [],
    isEmpty: true,
  });
});

Deno.test("without an earlier view every primary was added, with all its slots", () => {
  const change = difference(null, BEFORE);
  assertEquals(told(change.added), ["a+0-99-", "b+100-199-", "c+-"]);
  assertEquals([change.removed, change.moved, change.roles, change.addresses], [[], [], [], []]);
  assertEquals(change.isEmpty, false);
});

Deno.test("slots that move are gained by one and lost by the other", () => {
  const after = new Topology([
    shard(node("a"), [[0, 49], [60, 99]], node("ra", { role: "replica" })),
    shard(node("b"), [[50, 59], [100, 198]]),
    shard(node("c"), [[199, 199]]),
  ]);
  const change = difference(BEFORE, after);
  assertEquals(told(change.moved), ["a+-50-59", "b+50-59-199", "c+199-"]);
  assertEquals([change.added, change.removed, change.isEmpty], [[], [], false]);
});

Deno.test("a failover removes one primary and adds another, each with its slots", () => {
  const heir = node("ra");
  const after = new Topology([
    shard(heir, [[0, 99]], node("a", { role: "replica" })),
    shard(node("b"), [[100, 199]]),
    shard(node("c"), []),
  ]);
  const change = difference(BEFORE, after);
  assertEquals(told(change.removed), ["a+-0-99"]);
  assertEquals(told(change.added), ["ra+0-99-"]);
  assertEquals(change.moved, []);
  assertEquals(change.roles.map(({ node, before }) => `${node.id} ${before} ${node.role}`), [
    "ra replica primary",
    "a primary replica",
  ]);
  // The dead one is still called a primary, which its health belies.
  const dead = node("a", { health: "failed" });
  const killed = difference(
    BEFORE,
    new Topology([{ ...shard(heir, [[0, 99]], dead) }, ...BEFORE.shards.slice(1)]),
  );
  assertEquals([told(killed.removed), told(killed.added)], [["a+-0-99"], ["ra+0-99-"]]);
});

Deno.test("nodes join, leave and go by other addresses", () => {
  const after = new Topology([
    shard(node("a", { host: "elsewhere" }), [[0, 99]], node("ra", { role: "replica" })),
    shard(node("d"), []),
    shard(node("c", { tlsPort: 7 }), []),
  ]);
  const change = difference(BEFORE, after);
  assertEquals(told(change.removed), ["b+-100-199"]);
  assertEquals(told(change.added), ["d+-"]);
  assertEquals(change.addresses.map(({ node, before }) => [node.id, before.host, node.host]), [
    ["a", "a", "elsewhere"],
    ["c", "c", "c"],
  ]);
  assertEquals(change.isEmpty, false);
});

Deno.test("the change, applied to what was owned, gives what is owned", () => {
  const topology = fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 4_000 })), {
    maxLength: 12,
  }).map((runs) => {
    const slots = new Map<string, [number, number][]>();
    let first = 0;
    for (const [owner, length] of runs) {
      const last = Math.min(first + length, 16_384) - 1;
      if (last < first) break;
      const id = `n${owner}`;
      // The last of them owns nothing.
      if (owner < 5) slots.set(id, [...slots.get(id) ?? [], [first, last]]);
      first = last + 1;
    }
    return new Topology(Array.from(slots, ([id, ranges]) => shard(node(id), ranges)));
  });
  fc.assert(
    fc.property(topology, topology, (before, after) => {
      const change = difference(before, after);
      const owned = new Map<string, Set<number>>();
      const each = (ranges: readonly SlotRange[], visit: (slot: number) => void) => {
        for (const { first, last } of ranges) {
          for (let slot = first; slot <= last; slot++) visit(slot);
        }
      };
      for (const { id } of before.primaries) {
        const slots = new Set<number>();
        each(before.slotsOf(id), (slot) => slots.add(slot));
        owned.set(id, slots);
      }
      for (const { node, gained, lost } of [...change.added, ...change.removed, ...change.moved]) {
        const slots = owned.get(node.id) ?? new Set();
        owned.set(node.id, slots);
        each(lost, (slot) => assert(slots.delete(slot)));
        each(gained, (slot) => slots.add(slot));
      }
      for (const [id, slots] of owned) {
        const now = new Set<number>();
        each(after.slotsOf(id), (slot) => now.add(slot));
        assertEquals(slots, now);
      }
    }),
    { numRuns: 100, seed: 16_384 },
  );
});
