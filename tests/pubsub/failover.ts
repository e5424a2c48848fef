import { assert, assertEquals } from "@std/assert";
import { connect, type Gap, type KeyspaceNotificationsInterface } from "../../mod.ts";
import {
  type ServerBinary,
  sleep,
  startSentinels,
  type TestSentinels,
  type TestServer,
  until,
  within,
} from "../servers/mod.ts";
import { nodeOf } from "./pair.ts";

/** A number that was written, where, and between which times, in ms since the epoch. */
interface Write {
  readonly port: number;
  readonly sent: number;
  readonly acknowledged: number;
}

/** Writes numbers to whatever server a sentinel calls the primary, until it is stopped. */
class Writer implements AsyncDisposable {
  readonly writes = new Map<number, Write>();
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(all: TestSentinels, sentinel: TestServer) {
    this.#done = this.#run(all, sentinel);
  }

  async #run(all: TestSentinels, sentinel: TestServer): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      try {
        const primary = await all.primary(sentinel);
        const sent = Date.now();
        await within(primary.command("SET", `n:${number}`, "x"), 1_000, "SET");
        this.writes.set(number, { port: primary.port, sent, acknowledged: Date.now() });
      } catch {
        // It was not taken, or nobody knows whether it was.
      }
      await sleep(2);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Sees that each number came once, in order, or was written in a gap; or to the old primary, when
 * the new one, at `port`, was watched already: then it is undone.
 */
function assertNoneIsLost(
  writes: Map<number, Write>,
  seen: number[],
  gaps: Gap[],
  port: number,
): void {
  assertEquals(seen, seen.toSorted((a, b) => a - b), "in order");
  assertEquals(seen.length, new Set(seen).size, "each once");
  const came = new Set(seen);
  const watched = gaps.at(-1)!.to;
  for (const [number, { port: taken, sent, acknowledged }] of writes) {
    if (came.has(number) || (taken !== port && sent > watched)) continue;
    assert(
      gaps.some(({ from, to }) => from <= acknowledged && sent <= to),
      `${number}, written to ${taken} from ${sent} to ${acknowledged}, is missing without a gap: ` +
        JSON.stringify(gaps),
    );
  }
}

/** A way in which another server becomes the primary. */
export interface Failover {
  readonly name: string;
  begin(all: TestSentinels, primary: TestServer): Promise<unknown> | void;
}

export const FAILOVERS: readonly Failover[] = [
  {
    name: "the primary is killed",
    begin: (_all, primary) => primary.kill(),
  },
  {
    name: "the primary hangs",
    begin: (_all, primary) => primary.pause(),
  },
  {
    name: "a failover is asked for",
    begin: (all) => all.failover(all.sentinels[2]),
  },
];

/** What a connection to the sentinels reports. */
interface Seen {
  readonly notifications: KeyspaceNotificationsInterface;
  readonly gaps: Gap[];
  readonly numbers: number[];
}

async function watch(all: TestSentinels, protocol: 2 | 3): Promise<Seen> {
  const gaps: Gap[] = [];
  const numbers: number[] = [];
  const notifications = await connect({ sentinels: all.urls, name: all.name }, {
    protocol,
    timeout: 2_000,
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("n:*", {
    handler: ({ key }) => numbers.push(Number(key.slice(2))),
  });
  return { notifications, gaps, numbers };
}

/** Watches a primary through a failover, in both protocols, and checks that no loss is silent. */
export async function watchThrough({ begin }: Failover, binary?: ServerBinary): Promise<void> {
  await using all = await startSentinels({
    ...(binary === undefined ? {} : { binary }),
    config: { "notify-keyspace-events": "KEA" },
  });
  const [first, second] = all.servers as [TestServer, TestServer];
  await using stack = new AsyncDisposableStack();
  const watched: Seen[] = [];
  for (const protocol of [2, 3] as const) {
    const seen = await watch(all, protocol);
    stack.use(seen.notifications);
    watched.push(seen);
    assertEquals(seen.notifications.status().nodes[0]!.node, nodeOf(first));
  }
  // The one that leads a failover on demand is the first to know of it, and not followed.
  await using writer = new Writer(all, all.sentinels[2]!);
  await until("a hundred were written", () => writer.writes.size > 100);
  await begin(all, first);
  const moved = ({ notifications, gaps }: Seen) =>
    gaps.length > 0 && notifications.status().nodes[0]!.node === nodeOf(second) &&
    notifications.health().ok;
  await until("the new primary is watched", () => watched.every(moved), 60_000);
  const { size } = writer.writes;
  await until("another hundred were written", () => writer.writes.size > size + 100);
  await writer.stop();
  const last = Math.max(...writer.writes.keys());
  for (const { gaps, numbers } of watched) {
    await until("the last one has come", () => numbers.at(-1)! >= last);
    assertNoneIsLost(writer.writes, numbers, gaps, second.port);
    assert(gaps.some(({ reason }) => reason === "failover"));
  }
}
