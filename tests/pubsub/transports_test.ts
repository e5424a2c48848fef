import { assertEquals, assertRejects } from "@std/assert";
import { dial as denoDial } from "../../pubsub/transports/deno.ts";
import { dial as nodeDial } from "../../pubsub/transports/node.ts";
import type { Address, Transport } from "../../pubsub/transport.ts";
import { connect } from "../../mod.ts";
import { freePort, startServer } from "../servers/mod.ts";
import { Peer, swallow } from "./peer.ts";

const never = new AbortController().signal;

function addressOf(peer: Peer): Address {
  const { hostname, port } = new URL(peer.url);
  return { hostname, port: Number(port) };
}

/** Reads until so many bytes have come. */
async function readBytes(transport: Transport, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const chunk = await transport.read();
    if (chunk === null) throw new Error(`ended after ${at} of ${count} bytes`);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

for (const [name, dial] of [["Deno's", denoDial], ["node:net's", nodeDial]] as const) {
  Deno.test(`${name} transport carries bytes both ways, whole and in order`, async () => {
    await using peer = new Peer(async (connection) => {
      const buffer = new Uint8Array(64 * 1024);
      for (let length; (length = await connection.read(buffer)) !== null;) {
        for (let at = 0; at < length;) at += await connection.write(buffer.subarray(at, length));
      }
    });
    const transport = await dial(addressOf(peer), { signal: never });
    const sent = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 31 + index) >> 3);
    const written = [
      transport.write(sent.subarray(0, 10)),
      transport.write(sent.subarray(10, 700_000)),
      transport.write(sent.subarray(700_000)),
    ];
    const received = await readBytes(transport, sent.length);
    await Promise.all(written);
    assertEquals(received.every((byte, index) => byte === sent[index]), true);
    transport.close();
  });

  Deno.test(`${name} transport never writes to what it has handed out`, async () => {
    await using peer = new Peer(async (connection) => {
      for (let byte = 0; byte < 200; byte++) {
        await connection.write(new Uint8Array(1_000).fill(byte));
      }
      await swallow(connection);
    });
    const transport = await dial(addressOf(peer), { signal: never });
    const chunks: Uint8Array[] = [];
    for (let length = 0; length < 200_000;) {
      const chunk = (await transport.read())!;
      chunks.push(chunk);
      length += chunk.length;
    }
    transport.close();
    let at = 0;
    for (const chunk of chunks) {
      for (const byte of chunk) assertEquals(byte, Math.floor(at++ / 1_000));
    }
  });

  Deno.test(`${name} transport reads null at the end and after close, closed twice`, async () => {
    {
      await using peer = new Peer(() => Promise.resolve());
      const transport = await dial(addressOf(peer), { signal: never });
      assertEquals(await transport.read(), null);
      assertEquals(await transport.read(), null);
      transport.close();
    }
    await using peer = new Peer(swallow);
    const transport = await dial(addressOf(peer), { signal: never });
    const waiting = transport.read();
    transport.close();
    transport.close();
    assertEquals(await waiting, null);
    assertEquals(await transport.read(), null);
  });

  Deno.test(`${name} transport rejects a write that cannot be done`, async () => {
    await using peer = new Peer(swallow);
    const transport = await dial(addressOf(peer), { signal: never });
    transport.close();
    await assertRejects(() => transport.write(new Uint8Array(10)));
  });

  Deno.test(`${name} dial rejects where nobody listens, and when it is given up`, async () => {
    const nobody = { hostname: "127.0.0.1", port: freePort() };
    await assertRejects(() => dial(nobody, { signal: never }));
    const stop = new AbortController();
    stop.abort(new Error("enough"));
    await assertRejects(() => dial(nobody, { signal: stop.signal }), Error, "enough");
    await using peer = new Peer(swallow);
    const later = new AbortController();
    const dialling = dial(addressOf(peer), { signal: later.signal });
    later.abort(new Error("too late"));
    await assertRejects(() => dialling, Error, "too late");
  });

  Deno.test(`${name} transport serves a subscription`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    await using notifications = await connect(server.url, { dial });
    await notifications.subscribeKeyspace("k");
    await server.command("SET", "k", "x");
    assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
  });
}

Deno.test("in Deno the right to reach the server is all that is needed", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  const script = `
    import { connect } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    await using notifications = await connect(${JSON.stringify(server.url)});
    await notifications.subscribeKeyspace("k");
    console.log("subscribed");
    console.log((await notifications.getMessage({ timeout: 20_000 }))?.eventType);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `--allow-net=127.0.0.1:${server.port}`, "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const output = child.output();
  while (
    await server.command("PUBSUB", "NUMSUB", "__keyspace@0__:k").then(String) !==
      "__keyspace@0__:k,1"
  ) {
    const ended = await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (ended) break;
  }
  await server.command("SET", "k", "x");
  const { code, stdout, stderr } = await output;
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "subscribed\nset\n"]);
});
