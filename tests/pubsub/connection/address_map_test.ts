import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  type ConnectOptions,
  type Dial,
  dial,
  type Gap,
  SentinelError,
  type TcpAddress,
} from "../../../mod.ts";
import { startSentinels, type TestServer, until } from "../../servers/mod.ts";
import { FakeSentinel, type Named } from "../fake_sentinel.ts";
import { assertTells, promote, startPair, target } from "../pair.ts";

/** The addresses behind those that are announced, as a router would translate them. */
class Nat {
  readonly #behind = new Map<string, Named>();
  /** What was connected to, as `host:port`. */
  readonly dialled: string[] = [];

  /** The address that is announced in place of another one. */
  announce(named: Named): Named {
    const host = `10.255.0.${this.#behind.size + 1}`;
    this.#behind.set(host, named);
    return { host, port: 6379 };
  }

  readonly addressMap = ({ hostname }: TcpAddress): TcpAddress => {
    const named = this.#behind.get(hostname);
    if (named === undefined) throw new Error("not in my table");
    return { hostname: named.host, port: named.port };
  };

  /** Dials nothing that is announced: it would hang. */
  readonly dial: Dial = async (address, options) => {
    const { hostname, port } = address as TcpAddress;
    this.dialled.push(`${hostname}:${port}`);
    if (hostname.startsWith("10.255.")) throw new Error("there is no way to this network");
    return await dial(address, options);
  };
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: what sentinels name is connected to where the map says`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    const nat = new Nat();
    const [announcedFirst, announcedSecond] = [nat.announce(first), nat.announce(second)];
    await using other = new FakeSentinel(announcedFirst, 1);
    const listed = new FakeSentinel(announcedFirst, 1);
    listed.others = [nat.announce(other), { host: "10.255.9.9", port: 26379 }];
    listed.protocol = other.protocol = protocol;
    const gaps: Gap[] = [];
    const { addressMap, dial } = nat;
    await using notifications = await connect(target(listed), {
      protocol,
      addressMap,
      dial,
      onGap: (gap) => gaps.push(gap),
      onWarning() {},
    });
    await notifications.subscribeKeyspace("k");
    await assertTells(notifications, first);
    await until("the listed one is followed", () => listed.followers === 1);
    await listed[Symbol.asyncDispose]();
    await until("the other one is followed", () => other.followers === 1);
    await promote(second);
    await other.switchTo(announcedSecond);
    await until("the new primary is watched", () => gaps.length === 1);
    assertEquals(gaps[0]!.reason, "failover");
    await assertTells(notifications, second);
    assertEquals(nat.dialled.filter((address) => address.startsWith("10.")), []);
  });
}

Deno.test("real sentinels: all that they name is connected to where the map says, through a failover", async () => {
  await using all = await startSentinels({ config: { "notify-keyspace-events": "KEA" } });
  const [first] = all.servers as [TestServer];
  const dialled = new Set<string>();
  const mapped: number[] = [];
  const gaps: Gap[] = [];
  // One is given; the others are those that it names.
  const sentinels = [all.urls[0]!.replace("127.0.0.1", "localhost")];
  await using notifications = await connect({ sentinels, name: all.name }, {
    addressMap: ({ port }) => {
      mapped.push(port);
      return { hostname: "localhost", port };
    },
    dial: (address, options) => {
      dialled.add((address as TcpAddress).hostname);
      return dial(address, options);
    },
    onGap: (gap) => gaps.push(gap),
    onWarning() {},
  });
  await notifications.subscribeKeyspace("k");
  assertEquals(notifications.status().nodes[0]!.node, `localhost:${first.port}`);
  await until(
    "the others are known",
    () => all.sentinels.every(({ port }, i) => i === 0 || mapped.includes(port)),
  );
  await all.sentinels[0]!.kill();
  await first.kill();
  await until("the new primary is watched", () => {
    const [node] = notifications.status().nodes;
    return gaps.length > 0 && node!.state === "ready" && node!.node !== `localhost:${first.port}`;
  });
  // The sentinel that made it the primary knows before the other one does.
  await until("both sentinels name what is watched", async () => {
    const { node } = notifications.status().nodes[0]!;
    const ports = await Promise.all(
      all.sentinels.slice(1).map(async (sentinel) => (await all.primary(sentinel)).port),
    );
    return ports.every((port) => node === `localhost:${port}`);
  });
  assertEquals([...dialled], ["localhost"]);
});

Deno.test("a sentinel that names what the map refuses is passed over, and nothing is connected to there", async () => {
  await using pair = await startPair();
  const [first] = pair.servers as [TestServer];
  const nat = new Nat();
  await using rogue = new FakeSentinel({ host: "10.255.9.9", port: 6379 }, 1);
  await using honest = new FakeSentinel(nat.announce(first), 1);
  const { addressMap, dial } = nat;
  await using notifications = await connect(target(rogue, honest), { addressMap, dial });
  await notifications.subscribeKeyspace("k");
  await assertTells(notifications, first);
  assert(rogue.asked > 0);
  assertEquals(nat.dialled.filter((address) => address.startsWith("10.")), []);
});

Deno.test("what the map makes is checked, with sentinels as in a cluster", async () => {
  await using sentinel = new FakeSentinel({ host: "10.255.0.1", port: 6379 }, 1);
  const cases: [says: string, map: unknown][] = [
    ["not in my table", () => {
      throw new Error("not in my table");
    }],
    ["it is not { hostname, port }", () => undefined],
    ["it is not { hostname, port }", () => "10.0.0.1:6379"],
    ["it is not { hostname, port }", () => Promise.resolve({ hostname: "a", port: 1 })],
    ["its hostname is not one", () => ({ hostname: "", port: 1 })],
    ["its hostname is not one", () => ({ hostname: "a\x1b[2J\nforged", port: 1 })],
    ["its hostname is not one", () => ({ hostname: "a b", port: 1 })],
    ["its hostname is not one", () => ({ hostname: "a".repeat(1e5), port: 1 })],
    ["it is not { hostname, port }", () => ({ hostname: "a", port: "1" })],
    ["its port is not from 1 to 65535", () => ({ hostname: "a", port: 0 })],
    ["its port is not from 1 to 65535", () => ({ hostname: "a", port: 65_536 })],
  ];
  for (const [says, addressMap] of cases) {
    const options = { addressMap, timeout: 60_000 } as ConnectOptions;
    const error = await assertRejects(() => connect(target(sentinel), options), TypeError, says);
    assertStringIncludes(error.message, "what the option addressMap makes of 10.255.0.1:6379");
  }
  // With one that cannot be reached both are reported.
  const error = await assertRejects(
    () =>
      connect(target(sentinel, { url: "redis://127.0.0.1:1" }), {
        addressMap: () => ({ hostname: "", port: 1 }),
      }),
    SentinelError,
    "what the option addressMap makes of 10.255.0.1:6379",
  );
  assertStringIncludes(error.message, "127.0.0.1:1");
});
