import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type Gap,
  SentinelError,
  type TlsOptions,
} from "../../mod.ts";
import {
  makeCertificates,
  sleep,
  startSentinels,
  type TestSentinels,
  type TestServer,
  until,
} from "../servers/mod.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };

/** A number that was written, and between which times, in ms since the epoch. */
interface Write {
  readonly sent: number;
  readonly acknowledged: number;
}

/** Writes numbers to whatever server a sentinel calls the primary, until it is told to stop. */
class Writer implements AsyncDisposable {
  readonly writes = new Map<number, Write>();
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(all: TestSentinels, sentinel: TestServer) {
    this.#done = this.#run(all, sentinel);
  }

  async #run(all: TestSentinels, sentinel: TestServer): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      try {
        const primary = await all.primary(sentinel);
        const sent = Date.now();
        await primary.command("SET", `n:${number}`, "x");
        this.writes.set(number, { sent, acknowledged: Date.now() });
      } catch {
        // It was not taken, or nobody knows.
      }
      await sleep(2);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Sees that each number came once, in order, or was written in a gap. */
function assertNoneIsLost(writes: Map<number, Write>, seen: number[], gaps: Gap[]): void {
  assertEquals(seen, seen.toSorted((a, b) => a - b), "in order");
  assertEquals(seen.length, new Set(seen).size, "each once");
  const came = new Set(seen);
  for (const [number, { sent, acknowledged }] of writes) {
    if (came.has(number)) continue;
    assert(
      gaps.some(({ from, to }) => from <= acknowledged && sent <= to),
      `${number}, written from ${sent} to ${acknowledged}, is missing without a gap: ` +
        JSON.stringify(gaps),
    );
  }
}

interface Failover {
  readonly name: string;
  readonly protocols: readonly (2 | 3)[];
  begin(all: TestSentinels, primary: TestServer): Promise<unknown> | void;
}

const FAILOVERS: readonly Failover[] = [
  {
    name: "the primary is killed",
    protocols: [2, 3],
    begin: (_all, primary) => primary.kill(),
  },
  {
    name: "the primary hangs",
    protocols: [3],
    begin: (_all, primary) => primary.pause(),
  },
  {
    name: "a failover is asked for",
    protocols: [2, 3],
    begin: (all) => all.failover(all.sentinels[2]),
  },
];

for (const { name, protocols, begin } of FAILOVERS) {
  for (const protocol of protocols) {
    Deno.test(`RESP${protocol}: ${name}, and nothing is lost in silence`, async () => {
      await using all = await startSentinels(TALKATIVE);
      const [first, second] = all.servers as [TestServer, TestServer];
      const gaps: Gap[] = [];
      const seen: number[] = [];
      await using notifications = await connect({ sentinels: all.urls, name: all.name }, {
        protocol,
        timeout: 2_000,
        onGap: (gap) => gaps.push(gap),
      });
      await notifications.subscribeKeyspace("n:*", {
        handler: ({ key }) => seen.push(Number(key.slice(2))),
      });
      assertEquals(notifications.status().nodes[0]!.node, `${first.host}:${first.port}`);
      // The one that leads a failover on demand is the first to know of it, and not followed.
      await using writer = new Writer(all, all.sentinels[2]!);
      await until("a hundred were written", () => writer.writes.size > 100);
      await begin(all, first);
      await until(
        "the new primary is watched",
        () =>
          gaps.length > 0 && notifications.health().ok &&
          notifications.status().nodes[0]!.node === `${second.host}:${second.port}`,
        60_000,
      );
      const { size } = writer.writes;
      await until("another hundred were written", () => writer.writes.size > size + 100);
      await writer.stop();
      const last = Math.max(...writer.writes.keys());
      await until("the last one has come", () => seen.at(-1)! >= last);
      assertNoneIsLost(writer.writes, seen, gaps);
      assert(gaps.some(({ reason }) => reason === "failover"));
    });
  }
}

Deno.test("sentinels and servers that want passwords, each its own", async () => {
  const password = "of:the@servers";
  const sentinelPassword = "of/the@sentinels";
  await using all = await startSentinels({
    ...TALKATIVE,
    password,
    sentinelPassword,
    sentinels: 1,
    replicas: 0,
  });
  const { name } = all;
  const secret = encodeURIComponent(sentinelPassword);
  const targets = [
    { sentinels: all.urls.map((url) => url.replace("//", `//:${secret}@`)), name },
    { sentinels: all.urls, name, sentinelCredentials: { password: sentinelPassword } },
    {
      sentinels: all.urls,
      name,
      sentinelCredentials: () =>
        Promise.resolve({ username: "default", password: sentinelPassword }),
    },
  ];
  for (const target of targets) {
    await using notifications = await connect(target, { password });
    await notifications.subscribeKeyspace("k");
    await all.servers[0]!.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
    await until("the sentinel is followed", async () => {
      return String(await all.sentinels[0]!.command("CLIENT", "LIST")).includes(" sub=2 ");
    });
  }
  await assertRejects(() => connect(targets[0]!, { password: "wrong" }), AuthError, "WRONGPASS");
  await assertRejects(() => connect(targets[0]!), AuthError, "the password option");
});

Deno.test("TLS goes for the sentinels and for the servers they name", async () => {
  const certificates = await makeCertificates();
  await using all = await startSentinels({
    ...TALKATIVE,
    tls: certificates,
    sentinels: 1,
    replicas: 0,
  });
  const { name } = all;
  const sentinels = all.sentinels.map(({ tlsUrl }) => tlsUrl);
  const tls: TlsOptions = { ca: certificates.ca, ...certificates.client };
  for (
    const [target, options] of [
      [{ sentinels, name }, { tls }],
      [{ sentinels, name, sentinelTls: tls }, { tls }],
      // The sentinel speaks plainly too, and still what it names is spoken with over TLS.
      [{ sentinels: all.urls, name, tls: true }, { tls }],
    ] as const
  ) {
    await using notifications = await connect(target, options);
    await notifications.subscribeKeyspace("k");
    await all.servers[0]!.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
  }
});

Deno.test("the name that TLS asks for is the servers', not the sentinels'", async () => {
  const certificates = await makeCertificates();
  await using all = await startSentinels({ tls: certificates, sentinels: 1, replicas: 0 });
  const tls: TlsOptions = { ca: certificates.ca, ...certificates.client, serverName: "redis.test" };
  const target = { sentinels: all.sentinels.map(({ tlsUrl }) => tlsUrl), name: all.name };
  await assertRejects(
    () => connect(target, { tls, timeout: 1_000 }),
    ConnectError,
    "is for another name",
  );
  await assertRejects(
    () => connect({ ...target, sentinelTls: tls }, { tls, timeout: 1_000 }),
    SentinelError,
    "is for another name",
  );
});

Deno.test("a failover is followed with the first of the sentinels dead", async () => {
  await using all = await startSentinels(TALKATIVE);
  const [first] = all.servers as [TestServer, TestServer];
  const gaps: Gap[] = [];
  await using notifications = await connect({ sentinels: all.urls, name: all.name }, {
    onGap: (gap) => gaps.push(gap),
  });
  await notifications.subscribeKeyspace("k");
  await all.sentinels[0]!.kill();
  await first.kill();
  await until("the new primary is watched", () => gaps.length === 1, 60_000);
  assertEquals(gaps[0]!.reason, "failover");
  await all.servers[1]!.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 20_000 }))?.key, "k");
});
