import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { ConnectTurns } from "../../pubsub/connect_turns.ts";
import { Sentinels } from "../../pubsub/sentinel/sentinels.ts";
import { SentinelOrder } from "../../pubsub/sentinel/order.ts";
import { Secrets } from "../../pubsub/connection/secrets.ts";
import { readSentinelTarget, type SentinelServer } from "../../pubsub/sentinel/target.ts";
import { freePort, type TestServer, until } from "../servers/mod.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { assertTells, promote, startPair, target } from "./pair.ts";

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a sentinel that was not listed takes over from the one that was`, async () => {
    await using pair = await startPair();
    const [first, second] = pair.servers as [TestServer, TestServer];
    await using other = new FakeSentinel(first, 1);
    const down = { host: "127.0.0.1", port: freePort(), down: true };
    const warnings: string[] = [];
    const listed = new FakeSentinel(first, 1);
    listed.others = [down, other];
    listed.protocol = other.protocol = protocol;
    await using notifications = await connect(target(listed), {
      onWarning: (message) => warnings.push(message),
    });
    await notifications.subscribeKeyspace("k");
    await until("the listed one is followed", () => listed.followers === 1);
    assertEquals(other.connections, 0, "nobody else is asked as long as it lives");
    await listed[Symbol.asyncDispose]();
    await until("the other one is followed", () => other.followers === 1);
    assertEquals(warnings, []);
    await promote(second);
    await other.switchTo(second);
    await until("it is heard", () => notifications.status().gaps === 1);
    await assertTells(notifications, second);
    // And it is asked where the primary is, too.
    const { asked } = other;
    await second.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => notifications.status().gaps === 2);
    assertEquals(other.asked, asked + 1);
  });
}

Deno.test("of the others that a sentinel names those count that have an address and are not down", async () => {
  await using sentinel = new FakeSentinel({ host: "127.0.0.1", port: 1 }, 1);
  sentinel.others = [
    { host: "", port: 1 },
    { host: "127.0.0.1", port: 70_000 },
    { host: "127.0.0.1", port: 0 },
    { host: "127.0.0.1", port: 2, down: true },
    { host: "127.0.0.1", port: 3 },
  ];
  const secrets = new Secrets();
  const { name, sentinels: given } = readSentinelTarget(target(sentinel), {}, secrets);
  const sentinels = new Sentinels(given, {
    name,
    timeout: 60_000,
    limits: {},
    secrets,
    clientName: "test",
    resp2Servers: new Set(),
    addressMap: (address) => address,
    turns: new ConnectTurns(10),
  });
  const nodes = async () => {
    await sentinels.ask(sentinels.order.first, new AbortController().signal);
    return Array.from(sentinels.order, ({ node }) => node);
  };
  assertEquals(await nodes(), [sentinel.node, "127.0.0.1:3"]);
  // One that does not tell takes nothing back.
  sentinel.others = null;
  assertEquals(await nodes(), [sentinel.node, "127.0.0.1:3"]);
});

/** Sentinels by the last part of their port, and what a sentinel says of others. */
function order(...ports: number[]) {
  const servers = ports.map((port): SentinelServer => ({
    node: `h:${port}`,
    address: { hostname: "h", port },
    dial: () => Promise.reject(new Error("not to be connected to")),
    credentials: () => Promise.resolve({ password: `of ${port}` }),
  }));
  const sentinels = new SentinelOrder(servers, (address) => address);
  return {
    sentinels,
    learn(teller: number, ...ports: number[]) {
      const told = [...sentinels].find(({ node }) => node === `h:${teller}`)!;
      sentinels.learn(told, ports.map((port) => ({ hostname: "h", port })));
      return Array.from(sentinels, ({ node }) => Number(node.slice(2)));
    },
  };
}

Deno.test("learned sentinels are asked last, and forgotten when they are no longer named", async () => {
  const { sentinels, learn } = order(1, 2);
  assertEquals(learn(1, 2, 3, 4, 3), [1, 2, 3, 4]);
  assertEquals(await [...sentinels][2]!.credentials(), { password: "of 1" });
  // One that answers names all but itself; those of the target stay in any case.
  assertEquals(learn(3, 1, 5), [1, 2, 3, 5]);
  sentinels.putFirst([...sentinels][3]!);
  assertEquals(learn(5, 1, 2), [5, 1, 2]);
  assertEquals(learn(1), [1, 2]);
});

Deno.test("a sentinel that names thousands of others is believed a few of them", () => {
  const { sentinels, learn } = order(1);
  learn(1, ...Array.from({ length: 10_000 }, (_, i) => i + 2));
  assertEquals(sentinels.size, 33);
});
