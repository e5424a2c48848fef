import { assertEquals, assertRejects } from "@std/assert";
import { ClosedError, connect, type ConnectOptions, type SentinelTarget } from "../../mod.ts";
import { freePort, sleep, startServer, until } from "../servers/mod.ts";
import { FakeSentinel, hangingPeer } from "./fake_sentinel.ts";
import { target } from "./pair.ts";

// What is left over after one of these would be a timer of this length, which the sanitizers see.
const LONG: ConnectOptions = { timeout: 60_000, heartbeat: { interval: 60_000, timeout: 60_000 } };

const REASON = new Error("enough");

/** Connects, gives up once `reached` is true, and sees that this ends it. */
async function giveUp(
  target: SentinelTarget,
  reached: () => boolean,
  options: ConnectOptions = {},
): Promise<void> {
  const abort = new AbortController();
  const connecting = connect(target, { ...LONG, ...options, signal: abort.signal });
  const rejected = assertRejects(() => connecting, Error, REASON.message);
  await until("it is there", reached);
  abort.abort(REASON);
  await rejected;
}

for (const silentFrom of ["HELLO", "SENTINEL"] as const) {
  Deno.test(`giving up while a sentinel does not answer ${silentFrom}`, async () => {
    await using sentinel = new FakeSentinel(null);
    await using another = new FakeSentinel(null);
    sentinel.silentFrom = another.silentFrom = silentFrom;
    await giveUp(
      target(sentinel, another),
      () => sentinel.connections === 1 && another.connections === 1,
    );
    await until("they are left", () => sentinel.connections + another.connections === 0);
  });
}

Deno.test("giving up while the sentinels' credentials are waited for", async () => {
  await using sentinel = new FakeSentinel(null);
  let asked = false;
  const sentinelCredentials = () => {
    asked = true;
    return new Promise<never>(() => {});
  };
  await giveUp({ ...target(sentinel), sentinelCredentials }, () => asked);
});

Deno.test("giving up while the server's credentials are waited for", async () => {
  await using server = await startServer();
  await using sentinel = new FakeSentinel(server);
  let asked = false;
  const credentials = () => {
    asked = true;
    return new Promise<never>(() => {});
  };
  await giveUp(target(sentinel), () => asked, { credentials });
});

Deno.test("giving up while the server that was named does not answer", async () => {
  await using server = hangingPeer();
  const { hostname: host, port } = new URL(server.url);
  await using sentinel = new FakeSentinel({ host, port: Number(port) });
  await giveUp(target(sentinel), () => server.connections === 1);
});

Deno.test("giving up between two attempts", async () => {
  await using sentinel = new FakeSentinel({ host: "127.0.0.1", port: freePort() });
  await giveUp(target(sentinel), () => sentinel.asked > 5);
});

for (const silentFrom of ["HELLO", "SENTINEL", "SUBSCRIBE", "PING"] as const) {
  Deno.test(`closing while the sentinel to be followed does not answer ${silentFrom}`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await using sentinel = new FakeSentinel(server);
    const notifications = await connect(target(sentinel), {
      ...LONG,
      heartbeat: { ...LONG.heartbeat, interval: silentFrom === "PING" ? 20 : 60_000 },
    });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    sentinel.silentFrom = silentFrom;
    const heard = sentinel.commands;
    if (silentFrom !== "PING") {
      sentinel.hangUp();
      await until("it is tried again", () => sentinel.connections > 0);
    }
    await until("it is asked", () => sentinel.commands > heard);
    await notifications.close();
    assertEquals(notifications.status().state, "closed");
    await until("it is left", () => sentinel.connections === 0);
  });
}

Deno.test("closing while a sentinel is asked where the lost primary is", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using sentinel = new FakeSentinel(server);
  const notifications = await connect(target(sentinel), LONG);
  await notifications.subscribeKeyspace("k");
  // Following it, too, begins with a question, on a connection of its own.
  await until("it is followed", () => sentinel.followers === 1 && sentinel.asked === 2);
  await until("that question is over", () => sentinel.connections === 1);
  sentinel.silentFrom = "SENTINEL";
  await server.kill();
  await until("it is asked", () => sentinel.connections === 2);
  const subscribing = assertRejects(() => notifications.subscribeKeyspace("l"), ClosedError);
  const reading = notifications.listen().next();
  await notifications.close();
  await subscribing;
  assertEquals((await reading).done, true);
  await until("it is left", () => sentinel.connections === 0);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: closing while the primary is asked for its role`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await using sentinel = new FakeSentinel(server);
    const notifications = await connect(target(sentinel), {
      ...LONG,
      protocol,
      heartbeat: { interval: 50, timeout: 60_000 },
    });
    await notifications.subscribeKeyspace("k");
    await until("it is followed", () => sentinel.followers === 1);
    await server.pause();
    await sleep(200);
    await notifications.close();
    await server.resume();
    await until("it is left", () => sentinel.connections === 0);
  });
}
