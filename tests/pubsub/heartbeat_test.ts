import { assert, assertEquals } from "@std/assert";
import { connect, type Gap } from "../../mod.ts";
import { startServer, type TestServer, until } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

async function countPings(server: TestServer): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return Number(/cmdstat_ping:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: busyInterval says how often a busy connection is asked, and where gaps begin`, async () => {
    await using server = await startServer(TALKATIVE);
    for (const busyInterval of [1, 600_000]) {
      const before = await countPings(server);
      const gaps: Gap[] = [];
      await using notifications = await connect(server.url, {
        protocol,
        heartbeat: { busyInterval },
        onGap: (gap) => gaps.push(gap),
      });
      await notifications.subscribeKeyspace("k");
      const receive = async () => {
        await server.command("SET", "k", "x");
        const { timestamp } = (await notifications.getMessage({ timeout: 20_000 }))!;
        return timestamp;
      };
      // The first asks in either case.
      const first = await receive();
      await until("it was asked", async () => await countPings(server) > before);
      await until("a later ms has come", () => Date.now() > first);
      const second = await receive();
      if (busyInterval === 1) {
        // Each message asks, once the question before it has been answered.
        await until("it is asked again and again", async () => {
          await receive();
          return await countPings(server) - before > 20;
        });
      } else {
        // Longer than the interval that holds where none is set.
        while (Date.now() < first + 300) await receive();
        assertEquals(await countPings(server) - before, 1);
      }
      await server.command("CLIENT", "KILL", "TYPE", "pubsub");
      await until("the gap is told", () => gaps.length === 1);
      const { from } = gaps[0]!;
      if (busyInterval === 1) assert(from > first, `${from} is after ${first}`);
      else assert(from < second, `${from} is before ${second}`);
    }
  });
}
