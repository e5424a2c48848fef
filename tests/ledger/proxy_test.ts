import { assert, assertEquals, assertRejects } from "@std/assert";
import { Peer, swallow } from "../pubsub/peer.ts";
import { sleep, until, within } from "../servers/mod.ts";
import { Proxy } from "./proxy.ts";

const text = new TextEncoder();

/** Sends back what comes. */
async function echo(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (let length; (length = await connection.read(buffer)) !== null;) {
    for (let sent = 0; sent < length;) {
      sent += await connection.write(buffer.subarray(sent, length));
    }
  }
}

interface Through extends AsyncDisposable {
  peer: Peer;
  proxy: Proxy;
  connection: Deno.Conn;
  stopServer(): Promise<void>;
}

/** A server, a proxy before it and a connection through it. */
async function through(
  serve: (connection: Deno.Conn) => Promise<void>,
): Promise<Through> {
  const peer = new Peer(serve);
  let stopped: Promise<void> | undefined;
  const stopServer = () => stopped ??= peer[Symbol.asyncDispose]();
  const port = Number(new URL(peer.url).port);
  const proxy = await Proxy.start(() => ({ host: "127.0.0.1", port }));
  const connection = await dial(proxy);
  await until("the connection reaches the server", () => peer.connections === 1);
  return {
    peer,
    proxy,
    connection,
    stopServer,
    async [Symbol.asyncDispose]() {
      connection.close();
      await proxy[Symbol.asyncDispose]();
      await stopServer();
    },
  };
}

function dial({ host, port }: Proxy): Promise<Deno.Conn> {
  return Deno.connect({ hostname: host, port });
}

/** Reads so many bytes, or up to the end. */
async function read(connection: Deno.Conn, most = Infinity): Promise<Uint8Array> {
  const parts: number[] = [];
  const buffer = new Uint8Array(65_536);
  while (parts.length < most) {
    const length = await within(connection.read(buffer), 30_000, "read");
    if (length === null) break;
    for (const byte of buffer.subarray(0, length)) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

/** Whether nothing comes for a while, not even an end. */
async function isSilent(connection: Deno.Conn): Promise<boolean> {
  const came = connection.read(new Uint8Array(1)).then(() => true, () => true);
  return await Promise.race([came, sleep(150).then(() => false)]) === false;
}

Deno.test("passes both ways, and on the end of either", async () => {
  await using set = await through(async (connection) => {
    const buffer = new Uint8Array(5);
    await connection.read(buffer);
    await connection.write(buffer);
  });
  await set.connection.write(text.encode("hello"));
  assertEquals(await read(set.connection), text.encode("hello"));
  await until("both sides are closed", () => set.peer.connections + set.proxy.connections === 0);
});

Deno.test("cuts: both sides get an end, and new connections pass", async () => {
  await using set = await through(echo);
  set.proxy.cut();
  assertEquals(await read(set.connection), new Uint8Array());
  await until("the server got it too", () => set.peer.connections === 0);
  using again = await dial(set.proxy);
  await again.write(text.encode("x"));
  assertEquals(await read(again, 1), text.encode("x"));
});

Deno.test("cuts in a frame: all but the last bytes come, then an end", async () => {
  await using set = await through(echo);
  const cut = set.proxy.cutInFrame();
  await set.connection.write(text.encode("$5\r\nhello\r\n"));
  assertEquals(await read(set.connection), text.encode("$5\r\nhell"));
  await within(cut, 30_000, "cut");
});

Deno.test("resets: the connection breaks", async () => {
  await using set = await through(echo);
  const broken = assertRejects(() => read(set.connection), Deno.errors.ConnectionReset);
  set.proxy.reset();
  await broken;
  await until("the server got it too", () => set.peer.connections === 0);
});

Deno.test("half-open: nothing passes, not even the server's end; new connections pass", async () => {
  await using set = await through(echo);
  set.proxy.halfOpen();
  await set.connection.write(text.encode("x"));
  using again = await dial(set.proxy);
  await again.write(text.encode("y"));
  assertEquals(await read(again, 1), text.encode("y"));
  await set.stopServer();
  assert(await isSilent(set.connection));
});

Deno.test("black hole: new connections are accepted and hear nothing, until it is restored", async () => {
  await using set = await through(echo);
  set.proxy.blackHole();
  using swallowed = await dial(set.proxy);
  await swallowed.write(text.encode("x"));
  assert(await isSilent(swallowed));
  await set.proxy.restore();
  using again = await dial(set.proxy);
  await again.write(text.encode("y"));
  assertEquals(await read(again, 1), text.encode("y"));
});

Deno.test("slow: bytes come whole, and no faster than allowed", async () => {
  await using set = await through(echo);
  set.proxy.slow({ rate: 10_000, delay: 50 });
  const sent = Uint8Array.from({ length: 3000 }, (_, index) => index);
  const start = performance.now();
  await set.connection.write(sent);
  assertEquals(await read(set.connection, 3000), sent);
  assert(performance.now() - start > 250);
});

Deno.test("stall: the server cannot get rid of what it sends, until it is restored", async () => {
  const length = 32 * 1024 * 1024;
  let sent = 0;
  await using set = await through(async (connection) => {
    const part = new Uint8Array(64 * 1024);
    while (sent < length) sent += await connection.write(part.subarray(0, length - sent));
    await swallow(connection);
  });
  set.proxy.stall();
  let received = 0;
  const reading = (async () => {
    const buffer = new Uint8Array(1024 * 1024);
    while (received < length) received += await set.connection.read(buffer) ?? length;
  })();
  let before = -1;
  await until("the server is stuck", async () => {
    if (sent === before) return true;
    before = sent;
    await sleep(200);
    return false;
  });
  assert(sent < length);
  await set.proxy.restore();
  await within(reading, 30_000, "the rest");
  assertEquals(received, length);
});

Deno.test("refuses: connections end and new ones are refused, until it is restored", async () => {
  await using set = await through(echo);
  await set.proxy.refuse();
  assertEquals(await read(set.connection), new Uint8Array());
  await assertRejects(() => dial(set.proxy), Deno.errors.ConnectionRefused);
  await set.proxy.restore();
  using again = await dial(set.proxy);
  await again.write(text.encode("y"));
  assertEquals(await read(again, 1), text.encode("y"));
});

Deno.test("a server that is not there ends the connection", async () => {
  await using set = await through(echo);
  await set.stopServer();
  using connection = await dial(set.proxy);
  assertEquals((await read(connection).catch(() => new Uint8Array())).length, 0);
});
