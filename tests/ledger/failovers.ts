import { sleep, type TestServer, until } from "../servers/mod.ts";
import { keyOf } from "./book.ts";
import type { Fault } from "./faults.ts";
import type { SentinelStage } from "./sentinel_stage.ts";
import { VALUES } from "./writer.ts";

const COMMON = {
  part: "server",
  lasts: [0, 0],
  silent: true,
  leaves: "failover",
} satisfies Partial<Fault<SentinelStage>>;

/** Every way in which one server takes over from another, for a stage's first server, once. */
export const FAILOVERS: readonly Fault<SentinelStage>[] = [
  {
    ...COMMON,
    name: "failover: the primary is killed",
    begin: async ({ first }) => void await first.kill(),
    end: async ({ all, first }) => void await all.whenMoved(first),
    aftermath: async ({ first }) => {
      await first.restart();
      await becomesReplica(first);
    },
  },
  {
    ...COMMON,
    name: "failover: the primary hangs",
    begin: ({ first }) => first.pause(),
    end: async ({ all, first }) => void await all.whenMoved(first),
    aftermath: async ({ first }) => {
      first.resume();
      await becomesReplica(first);
    },
  },
  {
    ...COMMON,
    name: "failover: asked for, with the primary alive",
    begin: async (stage) => {
      const { all, book } = stage;
      const from = book.writes.length;
      const { lane } = book.writes.at(-1)!;
      await all.failover();
      // What the old one took after the new one had left it is undone by becoming its replica.
      await until("no more is written to the old one", () => book.writes.at(-1)!.lane !== lane);
      for (const { number, lane: taken } of book.writes.slice(from)) {
        if (taken === lane && !await isKept(stage, number)) book.doubt(number);
      }
    },
    end: () => {},
    aftermath: ({ first }) => becomesReplica(first),
  },
];

/** Whether the new primary is seen to know of a write: it set a key, and that is how it is there. */
async function isKept({ all, book }: SentinelStage, number: number): Promise<boolean> {
  const key = keyOf(number);
  if (book.find("set", key) !== number) return false;
  const value = await (await all.primary()).command("GET", key) as string | null;
  return value?.startsWith(VALUES.set) ?? false;
}

/** Waits until the old primary follows the new one, or as long as sentinels usually take for that. */
async function becomesReplica(server: TestServer): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    // It ends its connections when its part changes.
    const role = await server.command("ROLE").catch(() => []);
    if ((role as unknown[])[0] === "slave") return;
    await sleep(50);
  }
}
