import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type Gap, MissingFlagsError, SubscribeRefusedError } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** After how long a degraded server is asked again, in ms: at first, and at last. */
const FIRST_POLL = 200;
const LONGEST_POLL = 2_000;

/** Lets no timer fire that may be such; gives back how many were set, and the way back. */
function stopTimers(): { count(): number } & Disposable {
  const { setTimeout } = globalThis;
  let count = 0;
  const never = (action: () => void, ms = 0) => {
    const isPoll = ms >= FIRST_POLL && ms <= LONGEST_POLL;
    if (isPoll) count++;
    return setTimeout(action, isPoll ? 2 ** 31 - 1 : ms);
  };
  globalThis.setTimeout = never as typeof setTimeout;
  return { count: () => count, [Symbol.dispose]: () => void (globalThis.setTimeout = setTimeout) };
}

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: flags that are back are noticed by what comes, not only by asking again`, async () => {
    await using server = await startServer();
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    const errors: unknown[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      onError: (error) => errors.push(error),
    });
    await notifications.subscribeKeyspace("user:*");
    await server.restart();
    await until("it is noticed", () => errors.length === 1);
    using timers = stopTimers();
    await until("it waits before it asks again", () => timers.count() > 0);
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await server.command("SET", "user:1", "x");
    await until("it has asked", () => notifications.health().ok);
    assertEquals(notifications.status().gaps, 2);
  });
}

Deno.test("a server that stays degraded is asked ever more rarely, and as long as it is degraded", async () => {
  const { setTimeout } = globalThis;
  const pauses: number[] = [];
  let isBlocked = false;
  await using server = new FakeServer(([name]) => {
    if (name !== "CONFIG" || !isBlocked) return undefined;
    return "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n";
  });
  await using notifications = await connect(server.url, { onError() {}, quiet: true });
  await notifications.subscribeKeyspace("k");
  const asked = () => server.commands.filter((text) => text.startsWith("CONFIG")).length;
  const before = asked();
  try {
    globalThis.setTimeout = ((action: () => void, ms = 0) => {
      const isPoll = ms >= FIRST_POLL && ms <= LONGEST_POLL;
      if (isPoll) pauses.push(ms);
      // Others, such as that of the heartbeat, end the connection when the machine is busy.
      return setTimeout(action, isPoll ? ms / 100 : ms);
    }) as typeof setTimeout;
    isBlocked = true;
    server.hangUp();
    await until("it was asked often", () => asked() >= before + 8);
    assertEquals(pauses.slice(0, 6), [200, 400, 800, 1_600, 2_000, 2_000]);
    isBlocked = false;
    await until("it is noticed", () => notifications.health().ok);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

Deno.test("a degraded server that is busy for longer than the timeout is asked again", async () => {
  let answer: string | undefined;
  let busy = 0;
  await using server = new FakeServer(([name]) => {
    if (name !== "CONFIG") return undefined;
    if (answer?.startsWith("-BUSY")) busy++;
    return answer;
  });
  await using notifications = await connect(server.url, { timeout: 150, onError() {} });
  await notifications.subscribeKeyspace("k");
  answer = "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n";
  server.hangUp();
  await until("it is degraded", () => notifications.status().nodes[0]!.state === "degraded");
  answer = "-BUSY running a script\r\n";
  await until("it was busy for longer than the timeout", () => busy > 3);
  answer = undefined;
  await until("it is ready", () => notifications.health().ok);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: a channel that its user may have no longer is informed of, and so long the gap lasts`, async () => {
    await using server = await startServer({
      config: { "notify-keyspace-events": "KEA" },
      acl: ["bo on >pw ~* &* +@all"],
    });
    const errors: unknown[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      username: "bo",
      password: "pw",
      flags: "warn",
      onError: (error) => errors.push(error),
    });
    await notifications.subscribeKeyspace("mine");
    await notifications.subscribeKeyspace("theirs");
    // For which the server ends the connection.
    await server.command("ACL", "SETUSER", "bo", "resetchannels", "&__keyspace@0__:mine");
    await until("it is reported", () => errors.length > 0);
    const [error] = errors;
    assert(error instanceof SubscribeRefusedError);
    assertEquals(error.refused.map(({ channel }) => `${channel}`), ["__keyspace@0__:theirs"]);
    const { nodes: [node], state, gaps } = notifications.status();
    assertEquals([state, node!.state, node!.error, gaps], [
      "incomplete",
      "degraded",
      error.message,
      1,
    ]);
    await server.command("SET", "mine", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "mine");
    // A subscription that is refused at once was promised nothing, so nothing more is reported.
    await assertRejects(() => notifications.subscribeKeyspace("never"), SubscribeRefusedError);
    await server.command("ACL", "SETUSER", "bo", "&__keyspace@0__:theirs");
    await until("it is asked for again", () => notifications.health().ok);
    assertEquals([errors.length, notifications.status().gaps], [1, 2]);
    await server.command("SET", "theirs", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "theirs");
  });
}

Deno.test("a refused channel that is no longer desired degrades nothing", async () => {
  let refuses = false;
  await using server = new FakeServer(([name, ...channels]) =>
    refuses && name === "SUBSCRIBE" && channels.some((channel) => channel.endsWith(":no"))
      ? "-NOPERM no\r\n"
      : undefined
  );
  await using notifications = await connect(server.url, { onError() {} });
  await notifications.subscribeKeyspace("yes");
  const { unsubscribe } = await notifications.subscribeKeyspace("no");
  refuses = true;
  server.hangUp();
  await until("it is degraded", () => notifications.status().nodes[0]!.state === "degraded");
  await unsubscribe();
  await until("it is not", () => notifications.health().ok);
});

for (const protocol of [2, 3] as const) {
  Deno.test(`RESP${protocol}: flags that are taken away while the server runs are noticed, and so long the gap lasts`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    const errors: unknown[] = [];
    const gaps: Gap[] = [];
    await using notifications = await connect(server.url, {
      protocol,
      heartbeat: { interval: 50 },
      onError: (error) => errors.push(error),
      onGap: (gap) => gaps.push(gap),
    });
    await notifications.subscribeKeyspace("user:*");
    await server.command("SET", "user:1", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "user:1");
    await server.command("CONFIG", "SET", "notify-keyspace-events", "");
    const takenAt = Date.now();
    await until("it is noticed", () => errors.length > 0);
    const [error] = errors;
    assert(error instanceof MissingFlagsError);
    assertEquals(notifications.health().reason.includes(error.message), true);
    assertEquals(notifications.status().nodes[0]!.state, "degraded");
    assertEquals(gaps.map(({ reason }) => reason), ["unresponsive"]);
    assert(gaps[0]!.from <= takenAt && gaps[0]!.to >= gaps[0]!.from);
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEA");
    await server.command("SET", "user:2", "x");
    await until("it is over", () => notifications.health().ok);
    assertEquals([errors.length, gaps.length], [1, 2]);
    assertEquals(gaps[1]!.from, gaps[0]!.to);
    // Once more, also when somebody has been refused meanwhile, and so has seen the flags first.
    await server.command("CONFIG", "SET", "notify-keyspace-events", "");
    await assertRejects(() => notifications.subscribeKeyspace("other"), MissingFlagsError);
    await until("it is noticed", () => errors.length === 2);
  });
}

Deno.test("flags: merge puts back what is taken away while the server runs, and reports the gap", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "" } });
  const gaps: Gap[] = [];
  await using notifications = await connect(server.url, {
    flags: "merge",
    heartbeat: { interval: 50 },
    onError() {},
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyevent("set");
  await server.command("CONFIG", "SET", "notify-keyspace-events", "");
  const takenAt = Date.now();
  await until("they are back", () => gaps.length === 2 && notifications.health().ok);
  assert(gaps[0]!.from <= takenAt);
  await server.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
});

/** A server whose flags are what the test says, and that counts how often it was asked for them. */
function flagged(policy: "require" | "warn" | "ignore") {
  const state = { flags: "AKE" as string | null };
  const server = new FakeServer(([name]) => {
    if (name !== "CONFIG") return undefined;
    if (state.flags === null) return "-NOPERM no\r\n";
    return `%1\r\n$22\r\nnotify-keyspace-events\r\n$${state.flags.length}\r\n${state.flags}\r\n`;
  });
  const warnings: string[] = [];
  const options = {
    flags: policy,
    heartbeat: { interval: 20 },
    onWarning: (warning: string) => warnings.push(warning),
    onError() {},
  };
  const count = (command: string) =>
    server.commands.filter((text) => text.startsWith(command)).length;
  /** Waits until it was looked after a few times more. */
  const checks = async () => {
    const before = count("HELLO");
    await until("it was looked after", () => count("HELLO") >= before + 3);
  };
  return { server, state, warnings, options, asked: () => count("CONFIG"), checks };
}

Deno.test("flags that let through some of what is subscribed no longer are warned of, once", async () => {
  const { server, state, warnings, options, checks } = flagged("require");
  await using _ = server;
  await using notifications = await connect(server.url, options);
  await notifications.subscribeKeyevent("set");
  await notifications.subscribeKeyspace("k");
  await checks();
  state.flags = "K$x";
  await until("it is noticed", () => notifications.status().nodes[0]!.state === "degraded");
  state.flags = "KE$x";
  await until("it is noticed", () => notifications.health().ok);
  assertEquals(warnings, []);
  state.flags = "KE$";
  await until("it is warned of", () => warnings.length > 0);
  assert(warnings[0]!.includes('was "KE$x" and is "KE$" now'), warnings[0]);
  await checks();
  assertEquals([warnings.length, notifications.health().ok], [1, true]);
});

Deno.test("flags: warn reports a change, and not again of what was missing before", async () => {
  const { server, state, warnings, options, checks } = flagged("warn");
  await using _ = server;
  state.flags = "K$";
  await using notifications = await connect(server.url, options);
  await notifications.subscribeKeyevent("set");
  await notifications.subscribeKeyspace("k");
  await checks();
  assertEquals([warnings.length, notifications.status().state], [1, "ready"]);
  state.flags = "";
  await until("it is reported", () => warnings.length === 2);
  assertEquals(notifications.status().nodes[0]!.state, "degraded");
});

Deno.test("a server that does not tell its flags is not asked for them again", async () => {
  for (const policy of ["require", "ignore"] as const) {
    const { server, state, options, asked, checks } = flagged(policy);
    await using _ = server;
    state.flags = null;
    await using notifications = await connect(server.url, options);
    await notifications.subscribeKeyspace("k");
    await checks();
    assertEquals(asked(), policy === "require" ? 1 : 0);
    assertEquals(notifications.health().ok, true);
  }
});
