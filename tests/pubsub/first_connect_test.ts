/** `waitOnFirstConnect`: a server that is not there yet when `connect` is called. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  AuthError,
  ClusterKeyspaceNotifications,
  connect,
  ConnectError,
  type ConnectOptions,
  type Dial,
  dial,
  SentinelError,
} from "../../mod.ts";
import { sleep, startCluster, startServer } from "../servers/mod.ts";

/** Dials in vain so many times, then as always. */
function failing(times: number): Dial {
  return (address, options) => {
    if (times-- > 0) throw new Error("nothing there yet");
    return dial(address, options);
  };
}

/** Options that wait, and the warnings. */
function waiting(options: ConnectOptions): { options: ConnectOptions; warnings: string[] } {
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  return { options: { waitOnFirstConnect: true, onWarning, ...options }, warnings };
}

Deno.test("it waits for a server that is started later, and warns once", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await server.kill();
  const { options, warnings } = waiting({});
  const connecting = connect(server.url, options);
  await sleep(300);
  await server.restart();
  await using notifications = await connecting;
  await notifications.subscribeKeyspace("k");
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0]!, /^trying on until there is a server: Cannot connect to 127\.0\.0\.1/);
});

Deno.test("it waits for a cluster, by one of its nodes or by several", async () => {
  await using cluster = await startCluster();
  const [first, second] = cluster.urls;
  for (const target of [first!, [first!, second!]]) {
    const { options, warnings } = waiting({ dial: failing(4) });
    await using notifications = await connect(target, options);
    assert(notifications instanceof ClusterKeyspaceNotifications);
    assertEquals(notifications.topology.nodes.size, 3);
    assertEquals(warnings.length, 1);
  }
});

Deno.test("without the option, or when it has expired, it fails", async () => {
  const target = "redis://127.0.0.1:1";
  await assertRejects(
    () => connect(target, { dial: failing(1) }),
    ConnectError,
    "nothing there yet",
  );
  const { options } = waiting({ dial: failing(Infinity), waitOnFirstConnect: 300 });
  const begun = performance.now();
  await assertRejects(() => connect(target, options), ConnectError, "nothing there yet");
  const took = performance.now() - begun;
  assert(took >= 300 && took < 5_000, `it took ${took} ms`);
  const sentinels = { sentinels: [target], name: "mymaster" };
  await assertRejects(
    () => connect(sentinels, { ...options, waitOnFirstConnect: 10 }),
    SentinelError,
  );
});

Deno.test("the signal ends the wait", async () => {
  const stop = new AbortController();
  const { options } = waiting({ dial: failing(Infinity), signal: stop.signal });
  const connecting = connect("redis://127.0.0.1:1", options);
  setTimeout(() => stop.abort(new Error("enough")), 100);
  await assertRejects(() => connecting, Error, "enough");
});

Deno.test("a wrong password is not tried again", async () => {
  await using server = await startServer();
  await server.command("CONFIG", "SET", "requirepass", "right");
  const { options, warnings } = waiting({ password: "wrong" });
  await assertRejects(() => connect(server.url, options), AuthError);
  assertEquals(warnings, []);
});

Deno.test("a wait that is neither a boolean nor a number is rejected", async () => {
  for (const wrong of ["5s", -1, Number.NaN]) {
    const options = { waitOnFirstConnect: wrong as number };
    await assertRejects(
      () => connect("redis://127.0.0.1:1", options),
      TypeError,
      "waitOnFirstConnect",
    );
  }
});
