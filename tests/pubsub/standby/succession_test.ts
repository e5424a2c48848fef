import { assertEquals } from "@std/assert";
import type { Replication } from "../../../pubsub/connection/info.ts";
import type { StandbyEvent } from "../../../pubsub/standby/side.ts";
import { continuationOf, type Cut, findUndone } from "../../../pubsub/standby/succession.ts";

function replication(id: string, previousId = "", previousOffset = -2): Replication {
  return { id, offset: 1_000, previousId, previousOffset };
}

/** How a replica goes on at an offset. */
function goOn(offset: number, cut: Cut | null, ours: Replication, theirs: Replication = ours) {
  const place = { source: null, isLinked: true, offset };
  const frozen = { place, cut, events: [], bytes: 0, since: 0 };
  return continuationOf(frozen, "old", ours, theirs);
}

function cutAt(offset: number | null): Cut {
  return { offset, received: 0, attempts: 0 };
}

const promoted = replication("new", "old", 50);

Deno.test("a replica with another history is not gone on with", () => {
  assertEquals(goOn(50, null, replication("new")), null);
  assertEquals(goOn(50, null, replication("new", "other", 50)), null);
});

Deno.test("a replica that left the old history before the new primary did is not gone on with", () => {
  assertEquals(goOn(50, null, promoted, replication("new", "old", 40)), null);
});

Deno.test("after a cut nothing is missing if the offset is as before", () => {
  const resumed = { isSame: true, isWhole: true, isExact: true, isComplete: true };
  assertEquals(goOn(30, cutAt(30), replication("old")), resumed);
  assertEquals(goOn(31, cutAt(30), replication("old"))?.isWhole, false);
  assertEquals(goOn(30, cutAt(null), replication("old"))?.isWhole, false);
});

Deno.test("after a promotion nothing is missing from where the new history begins", () => {
  const isWhole = [cutAt(50), cutAt(30), cutAt(null)].map((cut) =>
    goOn(50, cut, promoted)?.isWhole
  );
  assertEquals(isWhole, [true, true, true]);
  assertEquals(goOn(51, cutAt(30), promoted)?.isWhole, false);
  assertEquals(goOn(50, cutAt(50), promoted)?.isComplete, true);
  assertEquals(goOn(50, cutAt(30), promoted)?.isComplete, false);
});

Deno.test("without a cut, only the offset shows that no event of a new history came before", () => {
  assertEquals(goOn(50, null, promoted)?.isExact, true);
  assertEquals(goOn(51, null, promoted)?.isExact, false);
});

function event(id: string): StandbyEvent {
  return { id, event: "set", bytes: 1, deliveries: [], isDelivered: true, served: null };
}

Deno.test("what an old primary executed alone lies after its mark beyond the end of its history", () => {
  const events = ["a", "b", "c", "d"].map(event);
  const marks = new Map([[10, 1], [20, 3]]);
  const names = (end: number, owed = events) => {
    const found = findUndone(owed, { events, marks }, end);
    return found && [found.undone, found.doubtful].map((list) => list.map(({ id }) => id).join(""));
  };
  assertEquals(names(10), ["bcd", ""]);
  assertEquals(names(15), ["d", "bc"]);
  assertEquals(names(15, events.slice(0, 2)), ["", "b"]);
  assertEquals(names(20), ["d", ""]);
  assertEquals(names(21), null);
});
