/** What SECURITY.md says of those who receive the password holds. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, TimeoutError } from "../../mod.ts";
import { Tool } from "../cli/tool.ts";
import { FakeSentinel } from "../pubsub/fake_sentinel.ts";
import { FakeServer } from "../pubsub/fake_server.ts";
import { startCluster, startServer, until } from "../servers/mod.ts";

const SECRET = "from your secret store";

const document = await Deno.readTextFile(new URL("../../SECURITY.md", import.meta.url));

const [, example] = /^ {2}```ts no-run\n(.*?)^ {2}```/ms.exec(document)!;

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

/** A node of a cluster that says who the primaries are. */
function nodeOf(primaries: () => readonly { host: string; url: string }[]): FakeServer {
  return new FakeServer(([name]) => {
    if (name === "HELLO") {
      return `%2\r\n${bulk("mode")}${bulk("cluster")}${bulk("role")}${bulk("master")}`;
    }
    if (name !== "CLUSTER") return undefined;
    const shards = primaries().map(({ host, url }, i) =>
      `%2\r\n${bulk("slots")}*2\r\n:${i}\r\n:${i}\r\n${bulk("nodes")}*1\r\n%4\r\n` +
      `${bulk("id")}${bulk(`node-${i}`)}${bulk("endpoint")}${bulk(host)}` +
      `${bulk("port")}:${new URL(url).port}\r\n${bulk("role")}${bulk("master")}`
    );
    return `*${shards.length}\r\n${shards.join("")}`;
  });
}

/** A node that says that there is another primary beside it, by another host name. */
function nodeBeside(rogue: FakeServer): FakeServer {
  const server = nodeOf(() => [
    { host: "127.0.0.1", url: server.url },
    { host: "localhost", url: rogue.url },
  ]);
  return server;
}

Deno.test("the dial of SECURITY.md keeps the password from a node that is not one's own", async () => {
  await using rogue = new FakeServer(() => undefined);
  await using server = nodeBeside(rogue);
  const code = example!.replace(/^ {2}/gm, "");
  assertStringIncludes(code, '"redis://redis-1.internal"');
  const program = [Deno.execPath(), "run", "--no-prompt", "--allow-net", "-"];
  for (const isRestricted of [true, false]) {
    await using tool = Tool.run([], { program, env: { NO_COLOR: "1" } });
    await tool.type(
      code.replace('"redis://redis-1.internal"', `"${server.url}"`)
        .replace('"redis-1.internal"', isRestricted ? '"127.0.0.1"' : '"127.0.0.1", "localhost"'),
    );
    await tool.typeEnd();
    await tool.ended();
    assert(server.commands.some((command) => command.includes(SECRET)));
    // What the table says of a topology that nothing restricts.
    assertEquals(rogue.commands.some((command) => command.includes(SECRET)), !isRestricted);
  }
});

Deno.test("an addressMap that throws keeps the password from a node, too", async () => {
  await using rogue = new FakeServer(() => undefined);
  await using server = nodeBeside(rogue);
  await using notifications = await connect(server.url, {
    password: SECRET,
    timeout: 500,
    addressMap: (address) => {
      if (address.hostname !== "127.0.0.1") throw new Error("not one's own");
      return address;
    },
  });
  // Nodes are connected to once something is subscribed. It fails, because one is not reached.
  const subscribing = assertRejects(() => notifications.subscribeKeyspace("*"), TimeoutError);
  await until("one is ready", () => notifications.status().nodes[0]?.state === "ready");
  await subscribing;
  assertEquals(rogue.commands, []);
});

Deno.test("a sentinel's word decides who receives the servers' password, unless dial refuses", async () => {
  await using rogue = new FakeServer(() => undefined);
  await using sentinel = new FakeSentinel({
    host: "localhost",
    port: Number(new URL(rogue.url).port),
  });
  const target = { sentinels: [sentinel.url], name: "mymaster" };
  const { dial } = await import("../../mod.ts");
  const options: ConnectOptions = {
    password: SECRET,
    timeout: 300,
    dial: async (address, options) => {
      if ("hostname" in address && address.hostname === "localhost") {
        throw new Error("not one's own");
      }
      return await dial(address, options);
    },
  };
  await connect(target, options).then(() => assert(false), () => {});
  assertEquals(rogue.commands, []);
  const { dial: _, ...unrestricted } = options;
  await using _notifications = await connect(target, unrestricted);
  assert(rogue.commands.some((command) => command.includes(SECRET)));
});

Deno.test("the user of SECURITY.md receives notifications", async () => {
  const [, rule] = /ACL SETUSER (.*)/.exec(document)!;
  const acl = [rule!.replace(">password", ">secret")];
  const config = { "notify-keyspace-events": "KEA" };
  await using server = await startServer({ acl, config });
  await using cluster = await startCluster({ acl: [`${acl[0]} +cluster|shards +info`], config });
  const targets = [
    { url: server.url, owner: () => Promise.resolve(server) },
    { url: cluster.servers[0]!.url, owner: () => cluster.ownerOf("k") },
  ];
  for (const protocol of [2, 3] as const) {
    for (const { url, owner } of targets) {
      const options = { username: "watcher", password: "secret", protocol };
      await using notifications = await connect(url, options);
      await notifications.subscribeKeyspace("*");
      await (await owner()).command("SET", "k", "1");
      assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.key, "k");
    }
  }
});
