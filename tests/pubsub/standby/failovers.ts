import { assert, assertEquals } from "@std/assert";
import { type ServerBinary, startSentinels, type TestSentinels, until } from "../../servers/mod.ts";
import type { Failover } from "../failover.ts";
import { TALKATIVE } from "../pair.ts";
import { Numbers, type Protocol, Watched } from "./watched.ts";

/**
 * Has sentinels make another server the primary while keys are set, and checks that each key came once,
 * was rolled back, or lies in a gap.
 *
 * @returns what was reported
 */
export async function failOver(
  { begin }: Failover,
  { protocol }: Protocol,
  binary?: ServerBinary,
  replicas = 1,
): Promise<Watched> {
  await using all = await startSentinels({
    ...TALKATIVE,
    replicas,
    ...(binary === undefined ? {} : { binary }),
  });
  const [first] = all.servers;
  // What they publish moves the replication offset of a new primary, as writes do.
  for (const sentinel of all.sentinels) {
    await sentinel.command("SENTINEL", "DEBUG", "PUBLISH-PERIOD", 60_000);
  }
  await using watched = await Watched.start(all, ["__keyspace@0__:n:*"], {
    protocol,
    timeout: 2_000,
  });
  let primary = first!;
  await using numbers = new Numbers(() => primary);
  await until("some were written", () => numbers.written.length > 300);
  await begin(all, first!);
  primary = await all.whenMoved(first!);
  const { length } = numbers.written;
  await until("more were written", () => numbers.written.length > length + 300);
  await until("the new primary is heard", () => watched.notifications.health().ok);
  await numbers.stop();
  const last = `set n:${numbers.written.at(-1)}`;
  await until("the last one has come", () => watched.events.at(-1) === last);
  await check(watched, numbers, all);
  return watched;
}

async function check(watched: Watched, numbers: Numbers, all: TestSentinels): Promise<void> {
  const { events, gaps, rolledBack } = watched;
  assertEquals(events.length, new Set(events).size, "each once");
  const primary = await all.primary();
  const undone = new Set(
    rolledBack.flatMap(({ notifications }) => notifications.map(({ key }) => key)),
  );
  const doubtful = new Set(gaps.flatMap(({ keys = [] }) => keys));
  const hasGap = gaps.some(({ keys }) => keys === undefined);
  const came = new Set(events);
  const problems: string[] = [];
  for (const number of numbers.written) {
    const key = `n:${number}`;
    const isThere = await primary.command("EXISTS", key) === 1;
    const isSure = !doubtful.has(key) && !hasGap;
    if (isThere && undone.has(key)) problems.push(`${key} is there, and was rolled back`);
    if (isThere && isSure && !came.has(`set ${key}`)) problems.push(`${key} is missing`);
    if (!isThere && isSure && came.has(`set ${key}`) && !undone.has(key)) {
      problems.push(`${key} is undone`);
    }
  }
  assert(problems.length === 0, `${problems.length}: ${problems.slice(0, 10).join(", ")}`);
}
