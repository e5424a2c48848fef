import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  ConnectError,
  type ConnectOptions,
  dial,
  TimeoutError,
  type TlsOptions,
} from "../../../mod.ts";
import { tlsError } from "../../../pubsub/connection/transports/tls_error.ts";
import { makeCertificates, startServer, type TestServer, until } from "../../servers/mod.ts";
import { Peer, swallow } from "../peer.ts";

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

Deno.test("certificates and the key may be bytes, and the CA a list", async () => {
  await using server = await start();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const { cert, key } = certificates.client;
  await assertServes(server, server.tlsUrl.replace("rediss", "valkeys"), {
    tls: { ca: [strange.ca, bytes(certificates.ca)], cert: bytes(cert), key: bytes(key) },
  });
  // As a variable of an environment may hold them.
  await assertServes(server, server.tlsUrl, {
    tls: {
      ca: certificates.ca.replaceAll("\n", "\\n"),
      cert: cert.replaceAll("\n", " "),
      key: `\uFEFF${key.replaceAll("\n", "\r\n")}`,
    },
  });
});

Deno.test("a dial of one's own gets the options for TLS, and dial takes bytes too", async () => {
  await using server = await start();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const { ca, client: { cert, key } } = certificates;
  const given: unknown[] = [];
  await assertServes(server, server.tlsUrl, {
    tls: { ca: [bytes(ca)], cert: bytes(cert), key: bytes(key) },
    dial: (address, { signal, tls }) => {
      given.push(tls);
      return dial(address, { signal, tls: { ca: bytes(ca), cert: bytes(cert), key } });
    },
  });
  assertEquals(given[0], { ca: [bytes(ca)], cert: bytes(cert), key: bytes(key) });
});

Deno.test("what keeps TLS from coming about is reported, with what to do about it", async () => {
  await using server = await start();
  const { ca, client } = certificates;
  const cases: [tls: TlsOptions | undefined, why: string, advice: string][] = [
    // Deno does not say what is wrong with it.
    [
      undefined,
      "the server's certificate is not trusted",
      "as tls.ca, and check that it has not expired",
    ],
    [client, "the server's certificate is not trusted", "as tls.ca"],
    [
      { ...good, ca: strange.ca },
      "the server's certificate is not trusted",
      "check that tls.ca contains",
    ],
    [{ ca }, "requires a client certificate", "as tls.cert and tls.key"],
    [{ ca, ...strange.client }, "does not accept the client certificate", "its authority"],
    [{ ...good, serverName: "redis.test" }, "is for another name", "set tls.serverName"],
    [{ ...good, serverName: "10.0.0.1" }, "is for another name", "set tls.serverName"],
    [
      { ...good, key: strange.client.key },
      "cannot use the certificates or the key",
      "tls.key is the key of tls.cert",
    ],
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

Deno.test("a server that speaks no TLS, or ends the connection, is reported", async () => {
  const hello = new TextEncoder().encode("-ERR Protocol error\r\n");
  for (
    const [say, why] of [
      [hello, "the peer does not speak TLS"],
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

/** Refuses each handshake with this alert, before it has said anything else. */
function refusing(alert: number): Peer {
  return new Peer(async (connection) => {
    await connection.read(new Uint8Array(4096));
    await connection.write(Uint8Array.of(21, 3, 3, 0, 2, 2, alert));
  });
}

Deno.test("an alert is named by its cause only where it has but one", async () => {
  const { ca } = certificates;
  const refused = "the server refused the handshake";
  const missing = "the server requires a client certificate (";
  const rejected = "the server does not accept the client certificate";
  const noVersion = "have no TLS version in common";
  const noName = 'the server does not know the name "redis.test"';
  const cases: [alert: number, withoutCertificate: string, withIt: string][] = [
    [0, "the server ended the connection", "the server ended the connection"],
    [40, refused, refused],
    [42, missing, rejected],
    [43, missing, rejected],
    [44, missing, `${rejected}: it has been revoked`],
    [45, missing, `${rejected}: it has expired, or is not valid yet`],
    [46, missing, rejected],
    [48, missing, `${rejected}: it does not trust the authority`],
    [49, refused, refused],
    [51, refused, refused],
    [70, noVersion, noVersion],
    [71, refused, refused],
    [80, refused, refused],
    [112, noName, noName],
    [116, missing, "requires a client certificate, and the one given was not sent"],
    [120, refused, refused],
  ];
  for (const [alert, without, withIt] of cases) {
    await using peer = refusing(alert);
    const url = peer.url.replace("redis:", "rediss:");
    const one = { ca, serverName: "redis.test" };
    for (const [tls, why] of [[one, without], [{ ...good, ...one }, withIt]] as const) {
      const { message } = await assertRejects(() => connect(url, { tls }), ConnectError);
      assertStringIncludes(message, `over TLS: ${why}`.replace(/.*(?=requires|have no)/, ""));
      assertEquals(
        /; check .*client certificate/.test(message),
        why === refused || alert === 0,
        message,
      );
    }
  }
});

Deno.test("a refusal without a reason says what to check of this connection", async () => {
  await using peer = refusing(40);
  const url = peer.url.replace("redis:", "rediss:");
  const adviceFor = async (tls: TlsOptions) => {
    const error = await assertRejects(() => connect(url, { tls }), ConnectError);
    assertEquals([error.code, error.server], ["TLS_FAILED", peer.url.slice("redis://".length)]);
    return error.message.split("; ").at(-1);
  };
  const { ca } = certificates;
  assertEquals(
    await adviceFor({ ca }),
    "check tls.serverName, and whether it requires a client certificate (tls.cert and tls.key)",
  );
  assertEquals(await adviceFor(good), "check tls.serverName, and the client certificate");
});

Deno.test("after the handshake only what can still be the cause is to be checked", () => {
  const address = { hostname: "redis.test", port: 6379 };
  for (const code of ["ECONNRESET", "EPIPE"]) {
    const reset = Object.assign(new Error("it broke"), { code });
    assertEquals(
      tlsError(address, {}, reset, true).message,
      "Cannot connect to redis.test:6379 over TLS: the server ended the connection (it broke); " +
        "check whether it requires a client certificate (tls.cert and tls.key)",
    );
    assertStringIncludes(
      tlsError(address, {}, reset, false).message,
      "check tls.serverName, that it speaks TLS, and whether it requires a client certificate",
    );
  }
});

Deno.test("a server of TLS 1.2 that requires a client certificate gives no reason", async () => {
  await using server = await startServer({
    tls: certificates,
    config: { "tls-protocols": "TLSv1.2", "notify-keyspace-events": "KEA" },
  });
  await assertServes(server, server.tlsUrl, { tls: good });
  const tls = { ca: certificates.ca };
  const { message } = await assertRejects(() => connect(server.tlsUrl, { tls }), ConnectError);
  assertStringIncludes(message, "the server refused the handshake");
  assertStringIncludes(message, "whether it requires a client certificate (tls.cert");
});

Deno.test("an address without the name that the server requires is reported", async () => {
  await using peer = refusing(112);
  const url = peer.url.replace("redis:", "rediss:");
  await assertRejects(
    () => connect(url, { tls: good }),
    ConnectError,
    "the server requires a server name, and none is sent for an IP address",
  );
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

Deno.test("options for TLS are refused where TLS is not spoken", async () => {
  const cases: [url: string, tls: TlsOptions, why: string][] = [
    ["redis://127.0.0.1:1", good, "Cannot use the option tls without TLS; write rediss://"],
    ["valkey://127.0.0.1:1", good, "Cannot use the option tls without TLS; write rediss://"],
    ["redis+unix:///tmp/s", {}, "Cannot use the option tls without TLS; write rediss://"],
  ];
  for (const [url, tls, why] of cases) {
    await assertRejects(() => connect(url, { tls }), TypeError, why);
  }
});
