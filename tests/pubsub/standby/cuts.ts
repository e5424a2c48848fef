import { assertEquals } from "@std/assert";
import { type ServerBinary, startSentinels, until } from "../../servers/mod.ts";
import { TALKATIVE } from "../pair.ts";
import { cut, Numbers, type Protocol, Watched } from "./watched.ts";

/** Cuts the connection to the primary again and again while keys are set, and misses nothing. */
export async function cutUnderLoad(
  times: number,
  { protocol, channels = ["__keyspace@0__:n:*"] }: Protocol & { channels?: string[] },
  binary?: ServerBinary,
): Promise<void> {
  await using all = await startSentinels({
    ...TALKATIVE,
    ...(binary === undefined ? {} : { binary }),
    sentinels: 1,
  });
  const primary = all.servers[0]!;
  await using watched = await Watched.start(all, channels, { protocol });
  await using numbers = new Numbers(() => primary);
  for (let time = 0; time < times; time++) {
    await watched.whenMatched();
    await cut(primary);
  }
  await watched.whenMatched();
  await numbers.stop();
  const expected = numbers.written.map((number) => `set n:${number}`);
  await until("all events arrive", () => watched.events.length >= expected.length);
  assertEquals(watched.gaps, []);
  assertEquals(watched.events, expected);
  assertEquals([watched.rolledBack, watched.warnings], [[], []]);
}
