/** What `connect` and `open` take: nothing, a URL, an address, or lists of these. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Address,
  ClusterKeyspaceNotifications,
  connect,
  type ServerTarget,
} from "../../mod.ts";
import { open } from "../../pubsub/connection/mod.ts";
import { startCluster, startServer } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** Where connecting dials first. */
async function dialed(connecting: (options: object) => Promise<unknown>): Promise<Address> {
  let found: Address | null = null;
  const dial = (address: Address) => {
    found ??= address;
    throw new Error("enough");
  };
  await assertRejects(() => connecting({ dial }));
  return found!;
}

Deno.test("without a target, connect dials localhost", async () => {
  const address = await dialed((options) => connect(undefined, options));
  assertEquals(address, { hostname: "localhost", port: 6379 });
});

const ADDRESSES: [target: ServerTarget, dialed: Address][] = [
  [{}, { hostname: "localhost", port: 6379 }],
  [{ host: "redis" }, { hostname: "redis", port: 6379 }],
  [{ hostname: "redis", port: 7000 }, { hostname: "redis", port: 7000 }],
  [{ port: 7000, host: undefined }, { hostname: "localhost", port: 7000 }],
  [{ path: "/run/redis.sock" }, { path: "/run/redis.sock" }],
  ["unix:///run/redis.sock", { path: "/run/redis.sock" }],
  [new URL("unix:///run/redis.sock"), { path: "/run/redis.sock" }],
];
for (const [target, expected] of ADDRESSES) {
  Deno.test(`${Deno.inspect(target)} is where it dials`, async () => {
    assertEquals(await dialed((options) => connect(target, options)), expected);
    assertEquals(await dialed((options) => open(target, options)), expected);
  });
}

Deno.test("an address says who to be, and which database to watch", async () => {
  await using server = await startServer(TALKATIVE);
  await server.command("ACL", "SETUSER", "ana", "on", ">pw", "allkeys", "allchannels", "+@all");
  const { port, socket: path } = server;
  const more = { username: "ana", password: "pw", database: 2 };
  for (const target of [{ host: "127.0.0.1", port, ...more }, { path, ...more }]) {
    await using notifications = await connect(target);
    const { channels } = await notifications.subscribeKeyspace("k");
    assertEquals(channels.map(String), ["__keyspace@2__:k"]);
    const clients = await server.command("CLIENT", "LIST", "TYPE", "PUBSUB") as string;
    assertEquals(/ user=(\w+)/.exec(clients)?.[1], "ana");
  }
  await using notifications = await connect(`unix://ana:pw@${path}?db=1`);
  const { channels } = await notifications.subscribeKeyspace("k");
  assertEquals(channels.map(String), ["__keyspace@1__:k"]);
});

Deno.test("seed nodes and sentinels are URLs and addresses, mixed", async () => {
  await using cluster = await startCluster(TALKATIVE);
  const [first, ...others] = cluster.urls.map((url) => new URL(url));
  const targets = [{ host: first!.hostname, port: Number(first!.port) }, ...others];
  await using notifications = await connect(targets);
  // Nodes are connected for what is watched.
  await notifications.subscribeKeyspace("*");
  assert(notifications instanceof ClusterKeyspaceNotifications);
  assertEquals(notifications.topology.nodes.size, 3);
  const sentinels = { sentinels: [{ host: "10.0.0.1" }, "redis://10.0.0.2"], name: "mymaster" };
  const address = await dialed((options) => connect(sentinels, options));
  assertEquals((address as { port: number }).port, 26379);
});

const WRONG: [target: unknown, says: string][] = [
  [{ hots: "redis" }, "the option hots: it is unknown; the options are host, hostname, port"],
  [{ onGap() {} }, "the option onGap: it is unknown"],
  [{ host: 5 }, "the option host"],
  [{ port: "6379" }, "give a URL, { host, port } or { path }"],
  [{ port: 0 }, "its port is not from 1"],
  [{ host: "a b" }, "its hostname is not one"],
  [{ path: "redis.sock" }, "its path is not absolute"],
  [{ path: "/redis.sock", host: "redis" }, "it has a host too"],
  [{ database: -1 }, "its database is not a whole number"],
  [{ tls: "yes" }, "the option tls"],
  [null, "it does not begin with redis://"],
];
for (const [target, says] of WRONG) {
  Deno.test(`${Deno.inspect(target)} is not a target`, async () => {
    await assertRejects(() => connect(target as ServerTarget), TypeError, says);
    await assertRejects(() => open(target as ServerTarget), TypeError, says);
  });
}

Deno.test("TLS of an address is used for every connection", async () => {
  let tls: unknown;
  const dial = (_: Address, options: { tls?: unknown }) => {
    tls = options.tls;
    throw new Error("enough");
  };
  await assertRejects(() => connect({ host: "redis", tls: true }, { dial }));
  assertEquals(tls, {});
});
