import { assert, assertEquals } from "@std/assert";
import { ReplicationLog } from "../../pubsub/replication.ts";

const START = { id: "a", offset: 100, previousId: "0", previousOffset: -2 };

Deno.test("a replica followed while less was in the stream than it has", () => {
  const log = new ReplicationLog(START, 1_000);
  log.note(100, 1_100);
  log.note(200, 1_200);
  log.note(300, 1_300);
  log.note(300, 1_400);
  assertEquals(log.followedAt(301), 1_400);
  // It may have left as soon as it had the last byte.
  assertEquals(log.followedAt(300), 1_200);
  assertEquals(log.followedAt(250), 1_200);
  assertEquals(log.followedAt(150), 1_100);
  assertEquals(log.followedAt(100), 1_000);
  assertEquals(log.followedAt(50), 1_000);
});

Deno.test("a long log is kept short, its beginning and its end as they are", () => {
  const log = new ReplicationLog(START, 0);
  const count = 100_000;
  for (let i = 1; i <= count; i++) log.note(100 + i, i);
  assertEquals(log.followedAt(100), 0);
  assertEquals(log.followedAt(100 + count), count - 1);
  for (const i of [1, 10, 1_000, 50_000, 90_000, 99_000]) {
    const at = log.followedAt(100 + i);
    assert(at < i, `${at} is not before ${i}`);
    assert(i - at <= 1 + (count - at) / 50, `${at} is far from ${i}`);
  }
  const times = new Set<number>();
  for (let i = 0; i < count; i += 10) times.add(log.followedAt(100 + i));
  assert(times.size <= 2_048, `It has ${times.size} entries`);
});
