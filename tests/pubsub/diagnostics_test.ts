/** What `debug`, `KEYWATCH_DEBUG` and the diagnostics channels say, and that none says a password. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import diagnostics from "node:diagnostics_channel";
import { ROOT } from "../../dev/project.ts";
import { AuthError, connect } from "../../mod.ts";
import { startServer, until } from "../servers/mod.ts";

const PASSWORD = "correct-horse-battery";
const CONFIG = { "notify-keyspace-events": "KEA" };

Deno.test("debug has a line for each change of a connection, each subscription and gap", async () => {
  await using server = await startServer({ config: CONFIG });
  const lines: string[] = [];
  await using notifications = await connect(server.url, { debug: (line) => lines.push(line) });
  await notifications.subscribeKeyspace("user:*");
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is back", () => notifications.status().gaps === 1 && notifications.health().ok);
  await notifications.close();
  const text = lines.join("\n").replaceAll(/127\.0\.0\.1:\d+/g, "SERVER");
  assertMatch(
    text,
    /^SERVER is ready \(redis [\d.]+, primary, RESP3\)\nsubscribed __keyspace@0__:user:\*$/m,
  );
  assertMatch(text, /^SERVER is reconnecting: .+$/m);
  assertMatch(text, /^gap: notifications of SERVER may be missing: disconnected for /m);
  assertMatch(text, /^SERVER is closed: .+$/m);
});

Deno.test("a password is in no line of debug, and in no diagnostics", async () => {
  await using server = await startServer({ config: CONFIG });
  await server.command("CONFIG", "SET", "requirepass", PASSWORD);
  const said: string[] = [];
  const listener = (message: unknown) => said.push(JSON.stringify(message));
  const names = ["connect", "gap", "subscribe", "overflow"].map((name) => `keywatch:${name}`);
  for (const name of names) diagnostics.subscribe(name, listener);
  try {
    const debug = (line: string) => said.push(line);
    const url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`;
    const wrong = url.replace("horse", "house");
    await assertRejects(() => connect(wrong, { debug }), AuthError);
    await using notifications = await connect(url, { debug });
    await notifications.subscribeKeyspace("user:*");
    await notifications.close();
  } finally {
    for (const name of names) diagnostics.unsubscribe(name, listener);
  }
  assert(said.length > 4);
  assertEquals(said.filter((text) => /correct|battery/.test(text)), []);
});

Deno.test("the diagnostics channels publish connections, subscriptions, gaps and overflows", async () => {
  await using server = await startServer({ config: CONFIG });
  const heard: string[] = [];
  const listener = (message: unknown, name: string | symbol) => {
    const { state, reason, channels } = message as Record<string, unknown>;
    heard.push(`${String(name)} ${state ?? reason ?? channels}`);
  };
  const names = ["connect", "gap", "subscribe", "overflow"].map((name) => `keywatch:${name}`);
  for (const name of names) diagnostics.subscribe(name, listener);
  try {
    await using notifications = await connect(server.url, { quiet: true, queue: { items: 2 } });
    // Its queue overflows, because its first call does not end.
    const handler = () => new Promise<void>(() => {});
    await notifications.subscribeKeyspace("user:*", { handler, as: "pattern" });
    for (let i = 0; i < 5; i++) await server.command("SET", `user:${i}`, "x");
    await until("all have come", () => notifications.status().dropped === 2);
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => notifications.status().gaps >= 1 && notifications.health().ok);
  } finally {
    for (const name of names) diagnostics.unsubscribe(name, listener);
  }
  assertEquals(heard.slice(0, 2), [
    "keywatch:connect ready",
    "keywatch:subscribe __keyspace@0__:user:*",
  ]);
  assert(heard.includes("keywatch:connect reconnecting"));
  assert(heard.includes("keywatch:gap disconnected"));
  assertEquals(heard.at(-1), "keywatch:connect closed");
});

for (
  const [name, env, allowed, isShown] of [
    ["logs with KEYWATCH_DEBUG=1", "1", true, true],
    ["logs nothing with KEYWATCH_DEBUG=0", "0", true, false],
    ["asks Deno for no permission to read KEYWATCH_DEBUG", "1", false, false],
  ] as const
) {
  Deno.test(name, async () => {
    await using server = await startServer({ config: CONFIG });
    const program = `import { connect } from "./mod.ts";
      const notifications = await connect("${server.url}");
      await notifications.subscribeKeyspace("user:*");
      await notifications.close();`;
    const { stderr, success } = await new Deno.Command(Deno.execPath(), {
      cwd: ROOT,
      args: [
        "run",
        "--no-lock",
        "--allow-net=127.0.0.1",
        ...(allowed ? ["--allow-env=KEYWATCH_DEBUG"] : []),
        `data:application/typescript,${
          encodeURIComponent(program.replace("./", `file://${ROOT}/`))
        }`,
      ],
      env: { KEYWATCH_DEBUG: env },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assert(success, text);
    assertEquals(/^keywatch: 127\.0\.0\.1:\d+ is ready/m.test(text), isShown, text);
  });
}

Deno.test("the documented OpenTelemetry code counts gaps and dropped notifications, and logs", async () => {
  const page = await Deno.readTextFile(`${ROOT}/docs/observability.md`);
  const [, code] = /```js ignore\n(.*?)```/s.exec(page)!;
  const counts = new Map<string, number>();
  const record = (name: string) => (value: number) =>
    counts.set(name, (counts.get(name) ?? 0) + value);
  const logged: string[] = [];
  const heard: [string, (message: unknown) => void][] = [];
  const provided = {
    metrics: {
      getMeter: () => ({
        createCounter: (name: string) => ({ add: record(name) }),
        createHistogram: (name: string) => ({ record: record(name) }),
        createObservableGauge: () => ({ addCallback() {} }),
      }),
    },
    logs: { getLogger: () => ({ emit: ({ body }: { body: string }) => logged.push(body) }) },
    SeverityNumber: { INFO: 9, WARN: 13 },
    subscribe(name: string, listener: (message: unknown) => void) {
      heard.push([name, listener]);
      diagnostics.subscribe(name, listener);
    },
  };
  new Function(...Object.keys(provided), code!.replaceAll(/^import .*$/gm, ""))(
    ...Object.values(provided),
  );
  try {
    await using server = await startServer({ config: CONFIG });
    await using notifications = await connect(server.url, { quiet: true, queue: { items: 2 } });
    await notifications.subscribeKeyspace("user:*");
    for (let i = 0; i < 5; i++) await server.command("SET", `user:${i}`, "x");
    await until("all have come", () => notifications.status().dropped === 3);
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await until("it is back", () => notifications.status().gaps === 1 && notifications.health().ok);
  } finally {
    for (const [name, listener] of heard) diagnostics.unsubscribe(name, listener);
  }
  assertEquals(counts.get("keywatch.gaps"), 1);
  assert(logged.some((body) => /is ready$/.test(body)));
  assert(logged.some((body) => /may be missing for \d+ ms: disconnected$/.test(body)));
});
