import { assertEquals } from "@std/assert";
import type { Member } from "../../../cluster/members/member.ts";
import type { Succession } from "../../../cluster/members/succession.ts";
import { WatchedSlots } from "../../../cluster/members/watched_slots.ts";
import type { Dispatcher } from "../../../pubsub/dispatcher.ts";
import type { Gap } from "../../../pubsub/mod.ts";

/** A member that is heard since a time, in ms since the epoch, and what its connection has proven. */
function member(id: string, heardSince: number, provenAt: number, silentFor: number): Member {
  const server = { silentFor, connection: { lastAckAt: provenAt } };
  return { id, heardSince, server, unheardSince: () => null } as unknown as Member;
}

/** Watches the slots of nodes, which have all taken over from each other in this way. */
function watch(
  members: Map<string, Member>,
  takeover: { readonly isHeir: boolean; readonly after: number },
  gaps: Gap[],
): WatchedSlots {
  return new WatchedSlots(
    Object.assign(members, {
      dispatcher: {
        registry: { size: 1 },
        reportGap: (gap: Gap) => gaps.push(gap),
      } as unknown as Dispatcher,
      succession: {
        takeover: () => ({ ...takeover, isEarlier: false, until: Infinity }),
      } as unknown as Succession,
      topology: null,
      nameOf: (id: string) => id,
    }),
  );
}

Deno.test("the gap of an heir begins no later than the last proof of a primary that is silent", () => {
  for (const [silentFor, from] of [[0, 500], [10, 400]] as const) {
    const gaps: Gap[] = [];
    const members = new Map([["a", member("a", 100, 400, silentFor)]]);
    const slots = watch(members, { isHeir: true, after: 500 }, gaps);
    slots.gain(members.get("a")!, [1, 2], true);
    slots.gain(member("b", 900, 900, 0), [1, 2], true);
    assertEquals(gaps.map((gap) => [gap.node, gap.reason, gap.from, gap.to]), [
      ["b", "failover", from, 900],
    ]);
  }
});

Deno.test("a slot that a node ended in what is read late is a gap if another node was not heard meanwhile", () => {
  for (const [heardSince, count] of [[350, 0], [700, 1]] as const) {
    const gaps: Gap[] = [];
    const other = { ...member("b", heardSince, 800, 0), unheardFrom: 300 };
    const members = new Map([
      ["a", member("a", 100, 800, 0)],
      ["b", { ...other, gate: { stream: { holds: () => false } } } as unknown as Member],
    ]);
    const slots = watch(members, { isHeir: false, after: Infinity }, gaps);
    slots.isNarrow = false;
    slots.gain(members.get("a")!, [1], true);
    slots.release(members.get("a")!, 1, 400);
    slots.gain(members.get("a")!, [1], false);
    assertEquals([gaps.length, ...gaps.map(({ from }) => from)], count === 0 ? [0] : [1, 400]);
  }
});

Deno.test("where not all nodes are heard, the gap of a slot begins when its owner was last asked where it sends clients", () => {
  for (const [settledAt, from] of [[250, 250], [450, 400], [50, 100]] as const) {
    const gaps: Gap[] = [];
    const members = new Map([
      ["a", { ...member("a", 100, 400, 0), settledAt: () => settledAt } as unknown as Member],
      ["b", { ...member("b", 100, 400, 0), gate: { stream: null } } as unknown as Member],
    ]);
    const slots = watch(members, { isHeir: false, after: Infinity }, gaps);
    slots.gain(members.get("a")!, [1], true);
    slots.release(members.get("a")!, 1, 400);
    slots.gain(members.get("b")!, [1], false);
    assertEquals(gaps.map((gap) => [gap.node, gap.reason, gap.from]), [["b", "topology", from]]);
  }
});
