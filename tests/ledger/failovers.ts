import { sleep, until, within } from "../servers/mod.ts";
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

/** Every way in which one server takes over from another. */
export const FAILOVERS: readonly Fault<SentinelStage>[] = [
  {
    ...COMMON,
    name: "failover: the primary is killed",
    begin: async (stage) => void await (await stage.leave()).kill(),
    end: async ({ all, left }) => void await all.whenMoved(left),
    aftermath: async (stage) => {
      await stage.left.restart();
      await becomesReplica(stage);
    },
  },
  {
    ...COMMON,
    name: "failover: the primary hangs",
    begin: async (stage) => (await stage.leave()).pause(),
    end: async ({ all, left }) => void await all.whenMoved(left),
    aftermath: async (stage) => {
      await stage.left.resume();
      await becomesReplica(stage);
    },
  },
  {
    ...COMMON,
    name: "failover: asked for, with the primary alive",
    begin: async (stage) => {
      const { all, book } = stage;
      await stage.leave();
      const from = book.writes.length;
      const { lane } = book.writes.at(-1)!;
      await all.failover();
      // What the old one took after the new one had left it is undone by becoming its replica.
      await until(
        "nothing is written to the old one any longer",
        () => book.writes.at(-1)!.lane !== lane,
      );
      for (const { number, lane: taken } of book.writes.slice(from)) {
        if (taken === lane && !await isKept(stage, number)) book.doubt(number);
      }
    },
    end: () => {},
    aftermath: becomesReplica,
  },
];

/** What may happen besides, while servers take over from one another. */
const BESIDES: readonly Fault<SentinelStage>[] = [
  {
    name: "CLIENT KILL",
    part: "network",
    lasts: [0, 0],
    silent: false,
    leaves: "disconnected",
    // It may be dead just now.
    begin: async ({ all }) => {
      await Promise.all(
        all.servers.map((server) =>
          within(server.command("CLIENT", "KILL", "TYPE", "pubsub"), 500, "CLIENT KILL")
            .catch(() => {})
        ),
      );
    },
    end: () => {},
  },
  {
    name: "sentinels' clients killed",
    part: "consumer",
    lasts: [0, 0],
    silent: false,
    leaves: null,
    begin: async ({ all }) => {
      for (const sentinel of all.sentinels) {
        await sentinel.command("CLIENT", "KILL", "TYPE", "pubsub").catch(() => {});
      }
    },
    end: () => {},
  },
  {
    name: "a sentinel killed and restarted",
    part: "consumer",
    lasts: [0, 1500],
    silent: false,
    leaves: null,
    // The harness asks the first one.
    begin: async ({ all }) => void await all.sentinels.at(-1)!.kill(),
    end: async ({ all }) => void await all.sentinels.at(-1)!.restart(),
  },
];

/** All of it, for mixing: each failover lasts until the old primary has become a replica. */
export const SENTINEL_FAULTS: readonly Fault<SentinelStage>[] = [
  ...FAILOVERS.map((failover) => ({
    ...failover,
    end: async (stage: SentinelStage) => {
      await failover.end(stage);
      await failover.aftermath!(stage);
    },
  })),
  ...BESIDES,
];

/** Whether the new primary is seen to know of a write: it set a key, and that is how it is there. */
async function isKept({ all, book }: SentinelStage, number: number): Promise<boolean> {
  const key = keyOf(number);
  if (book.find("set", key) !== number) return false;
  const value = await (await all.primary()).command("GET", key) as string | null;
  return value?.startsWith(VALUES.set) ?? false;
}

/** Waits until the old primary follows the new one, or as long as sentinels usually take for that. */
async function becomesReplica({ left }: SentinelStage): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    // It ends its connections when its part changes.
    const role = await left.command("ROLE").catch(() => []);
    if ((role as unknown[])[0] === "slave") return;
    await sleep(50);
  }
}
