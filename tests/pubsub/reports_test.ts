/** What is logged while nobody listens, and who is reported what happens besides notifications. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { connect, type ConnectOptions, type Gap, type NotificationsEvent } from "../../mod.ts";
import { observe as observeReports } from "../../pubsub/observer.ts";
import { resolveOptions } from "../../pubsub/options.ts";
import { sleep, startServer, type TestServer, until } from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** Collects the lines that are logged until it is disposed. */
class Console implements Disposable {
  readonly lines: string[] = [];
  readonly #warn = console.warn;

  constructor() {
    console.warn = (line: string) => this.lines.push(line);
  }

  [Symbol.dispose](): void {
    console.warn = this.#warn;
  }
}

/** Restarts the server after an outage, in ms. */
async function restart(server: TestServer, outage: number): Promise<void> {
  await server.kill();
  await sleep(outage);
  await server.restart();
}

/** Watches a server that is lost for more than a second, and returns what is logged. */
async function logOfOutage(options: ConnectOptions, reads = false): Promise<string[]> {
  await using server = await startServer(TALKATIVE);
  using log = new Console();
  await using notifications = await connect(server.url, options);
  await notifications.subscribeKeyspace("a*");
  if (reads) notifications.listen({ gaps: true });
  await restart(server, 1_500);
  await until("it is back", () => notifications.status().gaps === 1 && notifications.health().ok);
  await notifications.close();
  return log.lines;
}

Deno.test("an outage that nobody listens for is logged: the loss, the return and the gap", async () => {
  const [lost, ...after] = await logOfOutage({});
  assertMatch(lost!, /^keywatch: 127\.0\.0\.1:\d+ has been lost for a second: /);
  const [back, gap] = after.toSorted();
  assertEquals(after.length, 2);
  assertMatch(back!, /^keywatch: 127\.0\.0\.1:\d+ is back after \d+\.\d s$/);
  assertMatch(gap!, /^keywatch: notifications of .* may be missing: disconnected for .*onGap/);
});

for (
  const [name, options, reads] of [
    ["onGap", { onGap() {} }, false],
    ["quiet", { quiet: true }, false],
    ["a loop with gaps", {}, true],
  ] as const
) {
  Deno.test(`an outage is not logged with ${name}`, async () => {
    assertEquals(await logOfOutage(options, reads), []);
  });
}

Deno.test("a server whose address a failover changes within a second is not logged as lost", async () => {
  using log = new Console();
  const settings = resolveOptions({}, {});
  const { observe, end } = observeReports(settings);
  const server = {};
  const error = new Error("the primary was replaced");
  for (const [node, state] of [["a", "ready"], ["a", "reconnecting"], ["b", "ready"]] as const) {
    observe("node", { server, node, state, error, info: null });
  }
  await sleep(1_100);
  end();
  assertEquals(log.lines, []);
});

Deno.test("gaps are logged at most once a second, with a count", async () => {
  await using server = await startServer(TALKATIVE);
  using log = new Console();
  await using notifications = await connect(server.url);
  await notifications.subscribeKeyspace("a*");
  for (let count = 1; count <= 4; count++) {
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => notifications.status().gaps === count);
    await until("it is subscribed", () => notifications.health().ok);
  }
  assertEquals(log.lines.length, 1);
  await notifications.close();
  assertEquals(log.lines.length, 2);
  assertMatch(log.lines[1]!, /\(and 2 more before\)$/);
});

Deno.test("several listeners, added at any time, hear of gaps, states and warnings until they are removed", async () => {
  await using server = await startServer(TALKATIVE);
  using log = new Console();
  const given: Gap[] = [];
  await using notifications = await connect(server.url, { onGap: (gap) => given.push(gap) });
  const heard: string[] = [];
  const listener = ({ type, detail }: NotificationsEvent<"gap">) =>
    heard.push(type + detail.reason);
  const aborted = new AbortController();
  notifications.addEventListener("gap", listener);
  notifications.addEventListener("gap", listener);
  notifications.addEventListener("gap", () => heard.push("once"), { once: true });
  notifications.addEventListener("gap", () => heard.push("signal"), { signal: aborted.signal });
  notifications.addEventListener("warning", ({ detail }) => heard.push(detail));
  const states = new Set<string>();
  notifications.addEventListener("status", ({ detail }) => states.add(detail.state));
  await notifications.subscribeKeyevent("incr");
  assertMatch(heard.pop()!, /never fires/);
  const lose = async (count: number) => {
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => given.length === count && notifications.health().ok);
  };
  await lose(1);
  assertEquals(heard.splice(0), ["gapdisconnected", "once", "signal"]);
  aborted.abort();
  await lose(2);
  assertEquals(heard.splice(0), ["gapdisconnected"]);
  notifications.removeEventListener("gap", listener);
  await lose(3);
  assertEquals(heard, []);
  assert(states.has("incomplete") && states.has("ready"));
  assertEquals(log.lines, []);
});

Deno.test("a signal removes only the listener that was added with it", async () => {
  await using server = await startServer(TALKATIVE);
  await using notifications = await connect(server.url);
  let count = 0;
  const listener = () => count++;
  const first = new AbortController();
  notifications.addEventListener("warning", listener, { signal: first.signal });
  notifications.removeEventListener("warning", listener);
  notifications.addEventListener("warning", listener);
  first.abort();
  await notifications.subscribeKeyevent("incr");
  assertEquals(count, 1);
});

Deno.test("a listener for an unknown type, or one that is not a function, is rejected", async () => {
  await using server = await startServer();
  await using notifications = await connect(server.url);
  const untyped = notifications as unknown as {
    addEventListener(type: string, listener: unknown): void;
  };
  assertThrows(() => untyped.addEventListener("gapp", () => {}), TypeError, '"gap"');
  assertThrows(() => untyped.addEventListener("gap", {}), TypeError, "function");
});

Deno.test("a listener that throws stops nobody", async () => {
  await using server = await startServer(TALKATIVE);
  const error = console.error;
  const complaints: unknown[][] = [];
  console.error = (...words) => complaints.push(words);
  try {
    await using notifications = await connect(server.url);
    let count = 0;
    notifications.addEventListener("warning", () => {
      throw new Error("oops");
    });
    notifications.addEventListener("warning", () => count++);
    await notifications.subscribeKeyevent("incr");
    assertEquals([count, complaints.length], [1, 1]);
  } finally {
    console.error = error;
  }
});
