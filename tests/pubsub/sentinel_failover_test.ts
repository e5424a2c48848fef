import { assertEquals, assertRejects } from "@std/assert";
import {
  AuthError,
  connect,
  ConnectError,
  type Gap,
  SentinelError,
  type TlsOptions,
} from "../../mod.ts";
import { makeCertificates, startSentinels, type TestServer, until } from "../servers/mod.ts";
import { FAILOVERS, watchThrough } from "./failover.ts";
import { assertTells, TALKATIVE } from "./pair.ts";

for (const failover of FAILOVERS) {
  Deno.test(`${failover.name}, and nothing is lost in silence in either protocol`, async () => {
    await watchThrough(failover);
  });
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

async function isFollowed(sentinel: TestServer, times: number): Promise<boolean> {
  const clients = String(await sentinel.command("CLIENT", "LIST"));
  return clients.split(" name=keywatch ").length - 1 === times;
}

Deno.test("a failover is followed with the first of the sentinels dead, or the only one listed", async () => {
  await using all = await startSentinels(TALKATIVE);
  const [first, second] = all.servers as [TestServer, TestServer];
  const { name } = all;
  const gaps: Gap[][] = [[], []];
  const watch = async (sentinels: string[], gaps: Gap[]) => {
    const notifications = await connect({ sentinels, name }, { onGap: (gap) => gaps.push(gap) });
    await notifications.subscribeKeyspace("k");
    return notifications;
  };
  await using ofAll = await watch(all.urls, gaps[0]!);
  await using ofOne = await watch([all.urls[0]!], gaps[1]!);
  await until("it is followed by both", () => isFollowed(all.sentinels[0]!, 2));
  await all.sentinels[0]!.kill();
  await first.kill();
  await until("the new primary is watched", () => gaps.every(({ length }) => length === 1), 60_000);
  assertEquals(gaps.map(([gap]) => gap!.reason), ["failover", "failover"]);
  await assertTells(ofAll, second);
  // The other one has heard of that too.
  assertEquals((await ofOne.getMessage({ timeout: 20_000 }))?.key, "k");
  await assertTells(ofOne, second);
});
