import { assert, assertEquals } from "@std/assert";
import {
  connect,
  type ConnectOptions,
  type Gap,
  type KeyspaceNotificationsInterface,
} from "../../mod.ts";
import { type ServerBinary, startServer, type TestServer, until } from "../servers/mod.ts";
import { WallClock } from "../wall_clock.ts";
import { follow, nodeOf, TALKATIVE } from "./pair.ts";

/** A test of flushes that is to hold on every server. */
export interface FlushScene {
  readonly name: string;
  run(binary: ServerBinary, protocol: 2 | 3): Promise<void>;
}

/** What a server starts with, so that it reports all and takes `DEBUG`. */
function optionsOf(binary: ServerBinary) {
  return { binary, config: { ...TALKATIVE.config, "enable-debug-command": "local" } };
}

/** What comes, as text, in order: to a loop, and to `onFlush` and a handler. */
export class FlushRecord {
  readonly looped: string[] = [];
  readonly handled: string[] = [];
  readonly gaps: Gap[] = [];
  readonly warnings: string[] = [];
  readonly options: ConnectOptions = {
    flushes: true,
    onFlush: ({ kind, node }) => this.handled.push(`${kind} ${node}`),
    onWarning: (warning) => this.warnings.push(warning),
    onGap: (gap) => this.gaps.push(gap),
  };

  /** Subscribes all keys, for a handler and for a loop. */
  async subscribe(notifications: KeyspaceNotificationsInterface): Promise<void> {
    await notifications.subscribeKeyspace("*", {
      db: "*",
      handler: ({ eventType, key }) => this.handled.push(`${eventType} ${key}`),
    });
    const loop = notifications.listen({ flushes: true });
    await notifications.subscribeKeyspace("*", { db: "*" });
    (async () => {
      for await (const item of loop) {
        const isFlush = item.kind === "flush";
        this.looped.push(isFlush ? `flush ${item.node}` : `${item.eventType} ${item.key}`);
      }
    })();
  }

  /** Sees that this came, and nothing else, once the last of it has. */
  async assertCame(what: string, ...items: string[]): Promise<void> {
    for (const came of [this.looped, this.handled]) {
      await until(`${what}: ${items.at(-1)} comes`, () => came.includes(items.at(-1)!));
      assertEquals(came.splice(0), items, what);
    }
  }
}

/** Commands, and what comes of them: notifications as text, and `flush`. */
const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ["FLUSHDB", ["flush"]],
  ["FLUSHDB ASYNC", ["flush"]],
  ["FLUSHALL", ["flush"]],
  ["FLUSHALL SYNC", ["flush"]],
  ["DEBUG RELOAD", ["flush"]],
  // Of a database in which nothing was.
  ["SELECT 3;FLUSHDB;SELECT 0", ["flush"]],
  ["MULTI;SET a x;FLUSHALL;SET b x;EXEC", ["set a", "flush", "set b"]],
  ["SWAPDB 0 1", []],
  ["SCRIPT FLUSH;FUNCTION FLUSH", []],
];

/** The ids of connections, those that track alone or all of the library. */
async function clientIds(server: TestServer, isTracking: boolean): Promise<string[]> {
  const list = String(await server.command("CLIENT", "LIST"));
  return list.split("\n").flatMap((line) => {
    const [, id] = /^id=(\d+) /.exec(line) ?? [];
    const isWanted = isTracking ? / redir=\d/.test(line) : / name=keywatch /.test(line);
    return id !== undefined && isWanted ? [id] : [];
  });
}

export const FLUSH_SCENES: readonly FlushScene[] = [
  {
    name: "flushes come in order with the notifications",
    async run(binary, protocol) {
      await using server = await startServer(optionsOf(binary));
      const record = new FlushRecord();
      await using notifications = await connect(server.url, { ...record.options, protocol });
      await record.subscribe(notifications);
      const send = (command: string) => server.command(...command.split(" "));
      for (const [commands, items] of COMMANDS) {
        await Promise.all(["SET before x", ...commands.split(";"), "SET after x"].map(send));
        const came = items.map((item) => item === "flush" ? `flush ${nodeOf(server)}` : item);
        await record.assertCame(commands, "set before", ...came, "set after");
      }
      const script = "redis.call('SET','a','x') redis.call('FLUSHDB') redis.call('SET','b','x')";
      await server.command("EVAL", script, 0);
      await record.assertCame("a script", "set a", `flush ${nodeOf(server)}`, "set b");
      assertEquals([record.gaps, record.warnings], [[], []]);
      assertEquals(notifications.status().nodes[0]!.malformed, 0);
    },
  },
  {
    name: "a replica reports the flushes of its primary, and that it was given everything again",
    async run(binary, protocol) {
      await using primary = await startServer(optionsOf(binary));
      await using replica = await startServer(optionsOf(binary));
      const record = new FlushRecord();
      await using notifications = await connect(replica.url, {
        ...record.options,
        protocol,
        // In RESP2 each is a further connection.
        heartbeat: { interval: 3_600_000 },
      });
      await record.subscribe(notifications);
      const flush = `flush ${nodeOf(replica)}`;
      await replica.command("SET", "own", "x");
      await follow(replica, primary);
      await primary.command("SET", "k", "x");
      await record.assertCame("it becomes a replica", "set own", flush, "set k");
      await primary.command("FLUSHALL");
      await primary.command("SET", "k", "x");
      await record.assertCame("its primary is flushed", flush, "set k");
    },
  },
  {
    name: "flushes are reported again after a connection was lost",
    async run(binary, protocol) {
      await using server = await startServer(optionsOf(binary));
      const record = new FlushRecord();
      await using notifications = await connect(server.url, { ...record.options, protocol });
      await record.subscribe(notifications);
      for (let round = 1; round <= 3; round++) {
        for (const id of await clientIds(server, false)) {
          await server.command("CLIENT", "KILL", "ID", id);
        }
        await until("the gap is reported", () => record.gaps.length === round);
        await Promise.all([server.command("FLUSHALL"), server.command("SET", "k", "x")]);
        await record.assertCame(`round ${round}`, `flush ${nodeOf(server)}`, "set k");
      }
    },
  },
  {
    name: "a lost connection for tracking is a gap from its last proof on, and opened again",
    async run(binary, protocol) {
      // RESP3 has no such connection.
      if (protocol === 3) return;
      await using server = await startServer(optionsOf(binary));
      using clock = new WallClock();
      const record = new FlushRecord();
      await using notifications = await connect(server.url, { ...record.options, protocol });
      const trackedAt = Date.now();
      // The connection that subscribes proves later that it lives.
      clock.advance(10_000);
      await record.subscribe(notifications);
      const [id, ...others] = await clientIds(server, true);
      assertEquals(others, []);
      // One command after the other: nobody is informed of the flush.
      await using client = await server.client();
      await client.command("MULTI");
      await client.command("CLIENT", "KILL", "ID", id!);
      await client.command("FLUSHALL");
      await client.command("EXEC");
      await until("the gap is reported", () => record.gaps.length === 1);
      const [{ reason, from, to }] = record.gaps as [Gap];
      assertEquals(reason, "disconnected");
      assert(from <= trackedAt, `it begins ${from - trackedAt} ms late`);
      assert(to >= trackedAt);
      await Promise.all([server.command("FLUSHALL"), server.command("SET", "k", "x")]);
      await until("it comes", () => record.looped.includes("set k"));
      assertEquals(record.looped.slice(-2), [`flush ${nodeOf(server)}`, "set k"]);
    },
  },
  {
    name:
      "while connections break, each flush comes once between its neighbours, or there is a gap",
    async run(binary, protocol) {
      await using server = await startServer(optionsOf(binary));
      await using client = await server.client();
      const items: string[] = [];
      await using notifications = await connect(server.url, { flushes: true, protocol });
      const loop = notifications.listen({ gaps: true, flushes: true });
      await notifications.subscribeKeyspace("*");
      let writes = 0;
      const write = () => client.command("SET", ++writes, "x");
      const flush = () => Promise.all([write(), client.command("FLUSHALL"), write()]);
      for (let round = 0; round < 5; round++) {
        const ids = [...await clientIds(server, false), ...await clientIds(server, true)];
        const killed = ids[round % ids.length]!;
        const flushes = Array.from({ length: 200 }, flush);
        flushes.push(client.command("CLIENT", "KILL", "ID", killed).then(flush));
        await Promise.all(flushes);
        // As long as it takes to reconnect, and a little longer.
        do await flush(); while (notifications.status().gaps === round);
        for (let left = 200; left > 0; left--) await flush();
      }
      await write();
      for await (const item of loop) {
        const isOther = item.kind === "gap" || item.kind === "flush";
        items.push(isOther ? item.kind : item.key);
        if (items.at(-1) === `${writes}`) break;
      }
      let flushes = 0;
      for (let n = 1; n < writes; n++) {
        const between = items.slice(items.indexOf(`${n}`) + 1, items.indexOf(`${n + 1}`));
        // Those of which one is missing have a gap between them, too.
        if (!items.includes(`${n}`) || between.includes("gap")) continue;
        assertEquals(between, n % 2 === 0 ? [] : ["flush"], `between ${n} and ${n + 1}`);
        flushes += between.length;
      }
      assert(flushes >= 1_000, `${flushes} flushes`);
    },
  },
  {
    name: "without the permission there is one warning, and all else comes",
    async run(binary, protocol) {
      await using server = await startServer({
        ...optionsOf(binary),
        acl: ["bob on >secret ~* &* +@all -client|tracking"],
      });
      const record = new FlushRecord();
      await using notifications = await connect(server.url, {
        ...record.options,
        protocol,
        username: "bob",
        password: "secret",
      });
      await record.subscribe(notifications);
      for (const id of await clientIds(server, false)) {
        await server.command("CLIENT", "KILL", "ID", id);
      }
      await until("the gap is reported", () => record.gaps.length === 1);
      await Promise.all([server.command("FLUSHALL"), server.command("SET", "k", "x")]);
      await record.assertCame("a flush and a write", "set k");
      assertEquals(record.warnings.length, 1);
      assert(
        /^flushes of 127\.0\.0\.1:\d+ cannot be observed: .*client\|tracking/.test(
          record.warnings[0]!,
        ),
        record.warnings[0],
      );
    },
  },
];
