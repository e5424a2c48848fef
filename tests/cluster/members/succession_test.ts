import { assert, assertEquals } from "@std/assert";
import { Succession } from "../../../cluster/members/succession.ts";
import type { Replication } from "../../../pubsub/connection/info.ts";
import { ReplicationLog } from "../../../pubsub/replication.ts";
import { Topology } from "../../../cluster/discovery/topology.ts";
import { resolveOptions } from "../../../pubsub/options.ts";
import { FakeServer } from "../../pubsub/fake_server.ts";
import { node, shard } from "../shards.ts";
import { sleep, until } from "../../servers/mod.ts";

/** The reply to `HELLO` of a node with a role. */
function hello(role: "master" | "replica"): string {
  const words = ["server", "redis", "version", "8.0.0", "mode", "cluster", "role", role];
  const texts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `%5\r\n${texts.join("")}$5\r\nproto\r\n:3\r\n`;
}

/** The reply to `ROLE`. */
function role(name: "master" | "slave"): string {
  return `*2\r\n$${name.length}\r\n${name}\r\n:1\r\n`;
}

const REPLICATION: Replication = { id: "t", offset: 9, previousId: "s", previousOffset: 9 };

/** Servers that say that they are replicas, until they are promoted. */
class Replicas implements AsyncDisposable {
  readonly #promoted = new Set<string>();
  readonly servers: Map<string, FakeServer>;
  readonly promoted: string[] = [];
  readonly succession: Succession;

  constructor(...ids: readonly string[]) {
    this.servers = new Map(ids.map((id) => [
      id,
      new FakeServer(([name]) => {
        if (name === "HELLO") return hello(this.#promoted.has(id) ? "master" : "replica");
        if (name !== "ROLE") return undefined;
        return role(this.#promoted.has(id) ? "master" : "slave");
      }),
    ]));
    this.succession = new Succession({
      settings: resolveOptions({}, {}),
      locate: (id) => {
        const url = this.servers.get(id)?.url;
        return url === undefined
          ? null
          : { hostname: "127.0.0.1", port: Number(new URL(url).port) };
      },
      has: (id) => id === "watched",
      onPromoted: (id) => void this.promoted.push(id),
    });
  }

  promote(id: string): void {
    this.#promoted.add(id);
  }

  get connections(): number {
    return [...this.servers.values()].reduce((sum, { connections }) => sum + connections, 0);
  }

  /** How often their roles were polled. */
  get polls(): number {
    return [...this.servers.values()].flatMap(({ commands }) => commands)
      .filter((command) => command === "ROLE").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.succession.close();
    for (const server of this.servers.values()) await server[Symbol.asyncDispose]();
  }
}

Deno.test("of the replicas of a lost primary the one that is promoted is reported, once", async () => {
  await using replicas = new Replicas("r1", "r2");
  const { succession, promoted } = replicas;
  succession.begin("p", ["r1", "r2", "whom nobody can locate"]);
  succession.begin("p", ["r1", "r2"]);
  await until("both are polled repeatedly", () => replicas.polls > 4);
  assertEquals([replicas.connections, promoted], [2, []]);
  assertEquals(succession.takeover("r3", "p").after, Infinity);
  const before = Date.now();
  const polls = replicas.polls;
  await until("both are polled again", () => replicas.polls > polls + 2);
  replicas.promote("r2");
  await until("it is reported", () => promoted.length > 0);
  await until("nobody is polled any more", () => replicas.connections === 0);
  assertEquals(promoted, ["r2"]);
  const log = new ReplicationLog({ ...REPLICATION, id: "s", offset: 1 }, 5);
  succession.keepLog("p", log);
  for (const id of ["r2", "r3"]) succession.of(id).replication = REPLICATION;
  const { after } = succession.takeover("r2", "p");
  assert(before <= after && after <= Date.now());
  assertEquals(succession.takeover("r3", "p").after, 5);
});

/** A log of a stream that grew by 1 in each ms from the first to the last. */
function logOf(id: string, first: number, last: number): ReplicationLog {
  const log = new ReplicationLog({ ...REPLICATION, id, offset: first }, first);
  for (let at = first + 1; at <= last; at++) log.note(at, at);
  return log;
}

Deno.test("the history of a primary that was replaced and is back says since when another one was", async () => {
  await using replicas = new Replicas();
  const { succession } = replicas;
  const isBack = (previousId: string) => {
    succession.keepLog("p", logOf("s", 10, 50));
    succession.of("p").replication = { id: "u", offset: 70, previousId, previousOffset: 70 };
    succession.keepLog("p", logOf("u", 70, 70));
    const { after, until } = succession.takeover("p", "p");
    assert(until <= Date.now());
    return after;
  };
  // It was restarted, and has never followed another one, or continues its own.
  assertEquals(isBack("0".repeat(40)), Infinity);
  assertEquals(isBack("s"), Infinity);
  assertEquals(isBack("t"), 49);
  succession.of("r").replication = { id: "t", offset: 60, previousId: "s", previousOffset: 40 };
  assertEquals(isBack("t"), 39);
  // It is in the stream that it was in before.
  succession.of("p").replication = { id: "s", offset: 80, previousId: "t", previousOffset: 60 };
  assertEquals(succession.takeover("q", "p").after, Infinity);
});

Deno.test("an heir has left the stream of a primary by way of another that was not heard", async () => {
  await using replicas = new Replicas();
  const { succession } = replicas;
  succession.keepLog("p", logOf("s", 10, 50));
  succession.of("q").replication = { id: "u", offset: 70, previousId: "t", previousOffset: 70 };
  // Topologies may name an owner for longer than it is one.
  succession.note(new Topology([shard(node("p"), [[0, 1]]), shard(node("q"), [])]), 60);
  const unknown = succession.takeover("q", "p");
  assertEquals([unknown.isHeir, unknown.after], [false, 49]);
  succession.of("r").replication = { id: "t", offset: 60, previousId: "s", previousOffset: 40 };
  const { isHeir, after, isEarlier } = succession.takeover("q", "p");
  assertEquals([isHeir, after, isEarlier], [true, 39, true]);
});

Deno.test("a replica that has been promoted already is reported by its handshake", async () => {
  await using server = new FakeServer(([name]) => name === "HELLO" ? hello("master") : undefined);
  const promoted: string[] = [];
  const succession = new Succession({
    settings: resolveOptions({}, {}),
    locate: () => ({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) }),
    has: () => false,
    onPromoted: (id) => void promoted.push(id),
  });
  succession.begin("p", ["r"]);
  await until("it is reported", () => promoted.length > 0);
  assertEquals(server.commands.filter((command) => command.startsWith("ROLE")), []);
  succession.close();
});

/** The reply to `INFO replication` of a primary. */
function infoOf({ id, offset, previousId, previousOffset }: Replication): string {
  const text = `master_replid:${id}\r\nmaster_replid2:${previousId}\r\n` +
    `master_repl_offset:${offset}\r\nsecond_repl_offset:${previousOffset + 1}\r\n`;
  return `$${text.length}\r\n${text}\r\n`;
}

Deno.test("an heir has a history though it is a replica again before it is heard", async () => {
  const history = { id: "t", offset: 60, previousId: "s", previousOffset: 40 };
  const server = new FakeServer(([name]) => {
    if (name === "HELLO") return hello("master");
    return name === "INFO" ? infoOf(history) : undefined;
  });
  await using replicas = new Replicas("r1");
  const { succession, promoted } = replicas;
  replicas.servers.set("r", server);
  succession.keepLog("p", logOf("s", 10, 50));
  succession.begin("p", ["r", "r1"]);
  await until("it is reported", () => promoted.length > 0);
  await until("nobody is polled any more", () => replicas.connections === 0);
  assertEquals([promoted, succession.polls("p")], [["r"], false]);
  assertEquals(succession.of("r").replication, history);
  succession.of("q").replication = { id: "u", offset: 70, previousId: "t", previousOffset: 70 };
  const { isHeir, after } = succession.takeover("q", "p");
  assertEquals([isHeir, after], [true, 39]);
});

Deno.test("a promotion is reported before the history of the heir is read, and also if it is refused", async () => {
  const asked: string[] = [];
  const server = new FakeServer(([name]) => {
    asked.push(`${name}, reported ${promoted.length}`);
    if (name === "HELLO") return hello("master");
    return name === "INFO" ? "-NOPERM no\r\n" : undefined;
  });
  await using replicas = new Replicas();
  const { succession, promoted } = replicas;
  replicas.servers.set("r", server);
  succession.begin("p", ["r"]);
  await until("it is reported", () => promoted.length > 0);
  await until("nobody is polled any more", () => replicas.connections === 0);
  assertEquals(asked.filter((one) => one.startsWith("INFO")), ["INFO, reported 1"]);
  assertEquals([promoted, succession.polls("p")], [["r"], false]);
});

Deno.test("replicas of a primary that reconnected are not polled any more", async () => {
  await using replicas = new Replicas("r");
  const { succession, promoted } = replicas;
  succession.begin("p", ["r"]);
  await until("it is polled", () => replicas.polls > 0);
  succession.end("p");
  await until("the connection is closed", () => replicas.connections === 0);
  replicas.promote("r");
  await sleep(250);
  assertEquals(promoted, []);
});

Deno.test("a replica whose connection breaks is connected to again", async () => {
  await using replicas = new Replicas("r");
  const { succession, promoted, servers } = replicas;
  succession.begin("p", ["r"]);
  await until("it is polled", () => replicas.polls > 0);
  servers.get("r")!.hangUp();
  replicas.promote("r");
  await until("it is reported", () => promoted.length > 0);
  assertEquals(promoted, ["r"]);
});

Deno.test("a primary that hung is asked what it is until it says that it is a replica", async () => {
  let isHung = true;
  let replies = 0;
  const server = new FakeServer(([name]) => {
    if (isHung) return null;
    if (name === "HELLO") return hello("master");
    return name !== "ROLE" ? undefined : ++replies < 3 ? role("master") : role("slave");
  });
  await using replicas = new Replicas();
  const { succession } = replicas;
  replicas.servers.set("p", server);
  const demoted: number[] = [];
  succession.awaitDemotion("p", (silentAt) => void demoted.push(silentAt));
  succession.awaitDemotion("p", () => assert(false, "it is asked already"));
  await until("it is asked", () => server.commands.length > 0);
  const resumedAt = Date.now();
  isHung = false;
  server.hangUp();
  await until("it is a replica", () => demoted.length > 0);
  await until("the connection is closed", () => server.connections === 0);
  assertEquals([demoted.length, replies], [1, 3]);
  assert(demoted[0]! <= resumedAt, `${demoted[0]}, went on at ${resumedAt}`);
});

Deno.test("a primary that is heard again, or that nobody can locate, is not asked any more", async () => {
  await using replicas = new Replicas("p");
  const { succession, servers } = replicas;
  const fail = () => assert(false, "it is not a replica");
  const asking = succession.awaitDemotion("p", fail);
  succession.endLoss("p");
  await asking;
  assertEquals(servers.get("p")!.commands, []);
  await succession.awaitDemotion("whom nobody can locate", fail);
});

Deno.test("nodes that the cluster has forgotten are forgotten, unless they are watched or replaced just now", async () => {
  await using replicas = new Replicas("r");
  const { succession } = replicas;
  const known = (...ids: string[]) => new Topology(ids.map((id) => shard(node(id), [[0, 1]])));
  const lasts = (id: string) => succession.takeover("r", id).after !== Infinity;
  succession.note(known("a"), 1);
  succession.note(known("watched"), 2);
  succession.begin("p", ["r"]);
  succession.note(known("b"), 3);
  succession.note(known("c"), 4);
  assertEquals(["a", "watched", "b", "c"].map(lasts), [false, true, true, true]);
  succession.end("p");
  succession.note(known("c"), 5);
  assertEquals(["a", "watched", "b", "c"].map(lasts), [false, true, false, true]);
});
