import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  ConnectError,
  type ConnectOptions,
  TimeoutError,
  type TlsOptions,
} from "../../mod.ts";
import { makeCertificates, startServer, type TestServer, until } from "../servers/mod.ts";
import { Peer, swallow } from "./peer.ts";

const certificates = await makeCertificates();
const strange = await makeCertificates("DNS:redis.test,IP:10.0.0.1");
const good: TlsOptions = { ca: certificates.ca, ...certificates.client };

function start(): Promise<TestServer> {
  return startServer({ tls: certificates, config: { "notify-keyspace-events": "KEA" } });
}

async function assertServes(server: TestServer, url: string, options: ConnectOptions) {
  await using notifications = await connect(url, options);
  await notifications.subscribeKeyspace("k");
  await server.command("SET", "k", "x");
  assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
}

Deno.test("CA, client certificate and server name are used together, in both protocols", async () => {
  await using server = await startServer({
    tls: strange,
    config: { "notify-keyspace-events": "KEA" },
  });
  const tls = { ca: strange.ca, ...strange.client };
  for (const protocol of [2, 3] as const) {
    for (const serverName of ["redis.test", "10.0.0.1"]) {
      await assertServes(server, server.tlsUrl, { protocol, tls: { ...tls, serverName } });
    }
  }
});

Deno.test("the host of the URL is the name that is checked, and several CAs may be given", async () => {
  await using server = await start();
  await assertServes(server, server.tlsUrl, { tls: good });
  await assertServes(server, server.tlsUrl.replace("127.0.0.1", "localhost"), {
    tls: { ...good, ca: strange.ca + certificates.ca },
  });
});

Deno.test("what keeps TLS from coming about is told, with what to do about it", async () => {
  await using server = await start();
  const { ca, client } = certificates;
  const cases: [tls: TlsOptions | undefined, why: string, advice: string][] = [
    [undefined, "nobody who is trusted has signed", "as tls.ca"],
    [client, "nobody who is trusted has signed", "as tls.ca"],
    [{ ...good, ca: strange.ca }, "nobody who is trusted has signed", "as tls.ca"],
    [{ ca }, "wants a client certificate", "as tls.cert and tls.key"],
    [{ ca, ...strange.client }, "does not accept the client certificate", "its authority"],
    [{ ...good, serverName: "redis.test" }, "is for another name", "set tls.serverName"],
    [{ ...good, serverName: "10.0.0.1" }, "is for another name", "set tls.serverName"],
    [{ ...good, key: strange.client.key }, "no way to speak", "tls.key is the key of tls.cert"],
  ];
  for (const [tls, why, advice] of cases) {
    const error = await assertRejects(
      () => connect(server.tlsUrl, tls === undefined ? {} : { tls }),
      ConnectError,
      why,
    );
    assertStringIncludes(error.message, `127.0.0.1:${server.ports["tls-port"]} over TLS`);
    assertStringIncludes(error.message, advice);
    assertInstanceOf(error.cause, Error);
  }
});

Deno.test("a server that speaks no TLS, or ends the connection, is told", async () => {
  const hello = new TextEncoder().encode("-ERR Protocol error\r\n");
  for (
    const [say, why] of [
      [hello, "what answers there does not speak TLS"],
      [new Uint8Array(), "the server ended the connection"],
    ] as const
  ) {
    await using peer = new Peer(async (connection) => {
      await connection.read(new Uint8Array(4096));
      await connection.write(say);
    });
    const url = peer.url.replace("redis:", "rediss:");
    await assertRejects(() => connect(url, { tls: good }), ConnectError, why);
  }
});

Deno.test("a handshake that does not end is given up, by its deadline and by a signal", async () => {
  await using peer = new Peer(swallow);
  const url = peer.url.replace("redis:", "rediss:");
  await assertRejects(() => connect(url, { tls: good, timeout: 100 }), TimeoutError, "TLS");
  await until("it has hung up", () => peer.connections === 0);
  const stop = new AbortController();
  const connecting = connect(url, { tls: good, signal: stop.signal });
  await until("it shakes hands", () => peer.connections === 1);
  stop.abort(new Error("enough"));
  await assertRejects(() => connecting, Error, "enough");
  await until("it has hung up", () => peer.connections === 0);
});

Deno.test("nothing is left of a hundred handshakes that fail", async () => {
  await using server = await start();
  const { ca, client } = certificates;
  const bad: TlsOptions[] = [client, { ca }, { ...good, serverName: "redis.test" }, {
    ca,
    ...strange.client,
  }];
  for (let round = 0; round < 25; round++) {
    await Promise.all(
      bad.map((tls) => assertRejects(() => connect(server.tlsUrl, { tls }), ConnectError)),
    );
  }
  await until("the server has no connection but the test's", async () => {
    const list = String(await server.command("CLIENT", "LIST"));
    return list.trim().split("\n").length === 1;
  });
});

Deno.test("a name is asked for, an address is not", async () => {
  let hello = "";
  await using peer = new Peer(async (connection) => {
    const bytes = new Uint8Array(4096);
    hello = new TextDecoder().decode(bytes.subarray(0, await connection.read(bytes) ?? 0));
  });
  const { port } = peer.address;
  for (
    const [hostname, serverName, asked] of [
      ["localhost", undefined, "localhost"],
      ["127.0.0.1", undefined, null],
      ["localhost", "redis.test", "redis.test"],
      ["127.0.0.1", "10.0.0.1", null],
    ] as const
  ) {
    const tls = { ca: certificates.ca, ...(serverName === undefined ? {} : { serverName }) };
    await assertRejects(() => connect(`rediss://${hostname}:${port}`, { tls }), ConnectError);
    for (const name of ["localhost", "redis.test", "127.0.0.1", "10.0.0.1"]) {
      assertEquals(hello.includes(name), name === asked, `${name} for ${hostname}, ${serverName}`);
    }
  }
});

Deno.test("options for TLS that cannot be used, or would not be, are refused", async () => {
  const { cert, key } = good as Required<TlsOptions>;
  const url = "rediss://127.0.0.1:1";
  const encrypted = key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
  const cases: [url: string, tls: TlsOptions, why: string][] = [
    ["redis://127.0.0.1:1", good, "Cannot use the option tls with 127.0.0.1:1: TLS is not spoken"],
    ["redis+unix:///tmp/s", {}, "Cannot use the option tls with /tmp/s: TLS is not spoken"],
    [url, { ca: "/etc/ssl/ca.crt" }, "Cannot use the option tls.ca: it is not PEM text"],
    [url, { cert: "client.crt", key }, "Cannot use the option tls.cert: it is not PEM text"],
    [url, { cert, key: "client.key" }, "Cannot use the option tls.key: it is not PEM text"],
    [url, { cert }, "Cannot use the option tls.cert: there is no tls.key to it"],
    [url, { key }, "Cannot use the option tls.key: there is no tls.cert to it"],
    [url, { cert, key: encrypted }, "Cannot use the option tls.key: it is encrypted"],
    [url, { serverName: "" }, "Cannot use the option tls.serverName: it is empty"],
  ];
  for (const [url, tls, why] of cases) {
    await assertRejects(() => connect(url, { tls }), TypeError, why);
  }
});
