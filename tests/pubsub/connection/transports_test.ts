import { assertEquals } from "@std/assert";
import { connect, type TlsOptions } from "../../../mod.ts";
import { dial as denoDial } from "../../../pubsub/connection/transports/deno.ts";
import { dial as nodeDial } from "../../../pubsub/connection/transports/node.ts";
import { Peer, swallow } from "../peer.ts";
import { transportCases } from "../../runtimes/cases/transport.mjs";
import { Peers } from "../../runtimes/peers.ts";
import {
  makeCertificates,
  type Reply,
  startServer,
  type TestServer,
  until,
  within,
} from "../../servers/mod.ts";

const certificates = await makeCertificates();

for (
  const [module, dial, names] of [
    ["Deno's own", denoDial, ["TCP", "a unix socket", "TLS"]],
    ["node:net's", nodeDial, ["TCP", "a unix socket"]],
  ] as const
) {
  for (const name of names) {
    for (const { name: what, run } of transportCases) {
      Deno.test(`${module} transport over ${name} ${what}`, async () => {
        const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
        {
          await using peers = new Peers(folder, certificates);
          const way = peers.ways.find((way) => way.name === name)!;
          await within(run({ dial, way }), 60_000, "the case");
        }
        await Deno.remove(folder, { recursive: true });
      });
    }
  }
  Deno.test(`${module} transport serves a subscription`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    for (const url of [server.url, `redis+unix://${server.socket}`]) {
      for (const protocol of [2, 3] as const) {
        await using notifications = await connect(url, { dial, protocol });
        await notifications.subscribeKeyspace("k");
        await server.command("SET", "k", "x");
        assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
      }
    }
  });
}

for (const [module, dial] of [["Deno's own", denoDial], ["node:net's", nodeDial]] as const) {
  Deno.test(`${module} transport leaves no connection that is made when it is given up`, async () => {
    await using peer = new Peer(swallow);
    for (let round = 0; round < 20; round++) {
      const stop = new AbortController();
      const dialling = dial(peer.address, { signal: stop.signal });
      const over = dialling.then((transport) => transport.close(), () => {});
      setTimeout(() => stop.abort());
      // When the runtime looks again, the connection is there, and so is the time to give it up.
      for (const end = performance.now() + 5; performance.now() < end;);
      await over;
    }
    await until("the peer is left", () => peer.connections === 0, 5_000);
  });
}

Deno.test("node:net's transport returns all that waits from one read, so that no byte is late", async () => {
  await using peer = new Peer(async (connection) => {
    await connection.write(new Uint8Array(300_000));
    await swallow(connection);
  });
  const transport = await nodeDial(peer.address, { signal: new AbortController().signal });
  await until("all has come", () => transport.unread === 300_000);
  assertEquals((await transport.read())!.length, 300_000);
  assertEquals(transport.unread, 0);
  transport.close();
});

const RIGHTS: [
  way: string,
  target: (server: TestServer) => { url: string; tls?: TlsOptions; rights: string[] },
][] = [
  ["TCP", ({ port, url }) => ({ url, rights: [`--allow-net=127.0.0.1:${port}`] })],
  ["TLS", ({ ports, tlsUrl }) => ({
    url: tlsUrl,
    tls: { ca: certificates.ca, ...certificates.client, serverName: "localhost" },
    rights: [`--allow-net=127.0.0.1:${ports["tls-port"]}`],
  })],
  ["a unix socket", ({ socket }) => ({
    url: `redis+unix://${socket}`,
    rights: [`--allow-net=unix:${socket}`, `--allow-read=${socket}`, `--allow-write=${socket}`],
  })],
];

for (const [way, target] of RIGHTS) {
  Deno.test(`in Deno the right to reach the server over ${way} is all that is needed`, async () => {
    await using server = await startServer({
      config: { "notify-keyspace-events": "KEA" },
      tls: certificates,
    });
    const { url, tls, rights } = target(server);
    const options = tls === undefined ? {} : { tls };
    const script = `
      import { connect } from ${JSON.stringify(import.meta.resolve("../../../mod.ts"))};
      await using notifications = await connect(${JSON.stringify(url)}, ${JSON.stringify(options)});
      await notifications.subscribeKeyspace("k");
      console.log("subscribed");
      console.log((await notifications.getMessage({ timeout: 20_000 }))?.eventType);
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...rights, "--ext=ts", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(script));
    await writer.close();
    let ended = false;
    const output = child.output().finally(() => ended = true);
    await until("it has subscribed", async () => {
      const [, count] = await server.command("PUBSUB", "NUMSUB", "__keyspace@0__:k") as Reply[];
      return ended || count === 1;
    });
    await server.command("SET", "k", "x");
    const { code, stdout, stderr } = await output;
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "subscribed\nset\n"]);
  });
}
