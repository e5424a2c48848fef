import { assertEquals } from "@std/assert";
import { EventLog, type LoggedEvent } from "../../cluster/event_log.ts";
import { type HandoverEvidence, lastOfMove } from "../../cluster/handover.ts";

/** Events in slot 1, each as `type key`, the first at this position. */
function events(first: number, ...lines: string[]): LoggedEvent[] {
  return lines.map((line, index) => {
    const [type, key] = line.split(" ") as [string, string];
    return { position: first + index, slot: 1, kind: "keyspace", type, key: `0 ${key}` };
  });
}

/**
 * What a client knows that was slow: the target's events came together, and of them it had denied
 * the slot up to a position; before the first of them the source had sent its own.
 */
function evidence(
  source: readonly LoggedEvent[],
  target: readonly LoggedEvent[],
  deniedTo: number,
  more: Partial<HandoverEvidence> = {},
): HandoverEvidence {
  const log = new EventLog();
  for (const event of target) log.push(event);
  return {
    doubtful: target.filter(({ position }) => position > deniedTo),
    isMoved: (slot) => slot === 1,
    isWhole: true,
    isLater: () => true,
    since: target[0]!.position,
    target: log,
    source: new EventLog(),
    sourceUpTo: Infinity,
    recent: source,
    recentAfter: 0,
    marks: [],
    deniedTo,
    tellAll: () => true,
    copiesLapsed: false,
    ownedSince: -1,
    keptSince: Infinity,
    firstOf: () => undefined,
    ...more,
  };
}

Deno.test("from what the target repeated on, it repeated all, in the same order", () => {
  const source = events(1, "set a", "append old", "set b", "append a", "del b");
  const target = events(11, "set old", "append old", "set b", "append a", "del b", "append a");
  // Up to 12 it was not the owner; the last is a client's.
  assertEquals(lastOfMove(evidence(source, target, 12)), 15);
  // Without the append it may all be a client's: what the source sent it did before.
  assertEquals(lastOfMove(evidence(source, target, 11, { tellAll: () => false })), -1);
});

Deno.test("what was repeated and is not known any more is older than all that is", () => {
  const source = events(5, "append a", "append b");
  const target = events(11, "set a", "set b", "del c", "append a", "append b", "append b");
  assertEquals(lastOfMove(evidence(source, target, 13)), 15);
});

Deno.test("an event that becomes another on the way ends what can be looked for", () => {
  const source = events(1, "append a", "expired b", "append c");
  const target = events(11, "append a", "del b", "append c", "append c");
  assertEquals(lastOfMove(evidence(source, target, 11)), 13);
  const end = events(1, "append a", "append c", "expired b");
  const repeated = events(11, "append a", "append c", "del b", "append c");
  assertEquals(lastOfMove(evidence(end, repeated, 11)), 12);
  // Counting says no more than that the other one is repeated: there was one like the last before.
  const turns = events(1, "append a", "expired b", "append d", "append c");
  const before = events(11, "append c", "append a", "del b", "append d", "append c", "append c");
  assertEquals(lastOfMove(evidence(turns, before, 12)), 15);
});

Deno.test("a key that the source set and left was copied, unless it was flushed, or not all is heard", () => {
  const source = events(1, "set a", "set gone", "append a", "del gone");
  const target = events(11, "set old", "set a", "set gone");
  assertEquals(lastOfMove(evidence(source, target, 11)), 12);
  // Nothing proves that what was there before was still there.
  assertEquals(lastOfMove(evidence(source, target, 10)), -1);
  assertEquals(lastOfMove(evidence([...source, ...events(5, "set old")], target, 11)), -1);
  assertEquals(lastOfMove(evidence(source, target, 11, { tellAll: () => false })), -1);
  // But that the source was not emptied since it set the key.
  assertEquals(lastOfMove(evidence(source, target, 10, { keptSince: 0 })), 12);
  assertEquals(
    lastOfMove(evidence(source, target, 10, { keptSince: 0, tellAll: () => false })),
    -1,
  );
  assertEquals(lastOfMove(evidence(source, target, 10, { keptSince: 1 })), -1);
  // The first that is known of it need not be the first.
  assertEquals(lastOfMove(evidence(source, target, 10, { keptSince: 0, isWhole: false })), -1);
  // Since then the slot may have gone and come again, without the key.
  assertEquals(lastOfMove(evidence(source, target, 10, { keptSince: 0, ownedSince: 1 })), -1);
  // Its time may have run out, which only some servers make nothing of.
  const timed = events(1, "set a", "expire a", "rpush b", "lpop b", "hset c", "set d", "expired d");
  const copied = events(11, "set old", "rpush b", "set a", "hset c", "set d");
  const last = (copiesLapsed: boolean) =>
    lastOfMove(evidence(timed, copied, 10, { keptSince: 0, copiesLapsed }));
  assertEquals([last(false), last(true)], [-1, 13]);
  // That it was not deleted is known where all events are heard, in the same family of channels.
  const keyevent = (events: readonly LoggedEvent[]) =>
    events.map((event) => ({ ...event, kind: "keyevent" }));
  const heard = (tellAll: HandoverEvidence["tellAll"]) =>
    lastOfMove(evidence(keyevent(source), keyevent(target), 10, { keptSince: 0, tellAll }));
  assertEquals(heard((kind, database) => kind === "keyevent" && database === 0), 12);
  assertEquals(heard((kind) => kind === "keyspace"), -1);
  assertEquals(heard((_, database) => database === 1), -1);
  const other = target.map((event) => ({ ...event, key: event.key.replace("0 old", "1 old") }));
  assertEquals(lastOfMove(evidence(source, other, 11)), -1);
});

Deno.test("whose time may run out before it is copied proves nothing", () => {
  const source = events(1, "set a", "expire a");
  const target = events(11, "set old", "set a");
  assertEquals(lastOfMove(evidence(source, target, 11)), -1);
});
