import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runs } from "./process.ts";
import { findServer, MissingServerError, ServerStartError, TestServer, until } from "./mod.ts";

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a server answers, and stopping it leaves neither process nor folder", async () => {
  const server = await TestServer.start();
  const { pid, dir } = server;
  try {
    assertEquals(await server.command("PING"), "PONG");
    assertEquals(server.url, `redis://127.0.0.1:${server.port}`);
    assert(exists(dir));
    assert(await runs(pid));
    assertEquals(await server.command("CONFIG", "GET", "port"), ["port", String(server.port)]);
    assertEquals(await server.command("CONFIG", "GET", "bind"), ["bind", "127.0.0.1"]);
    assertEquals(await server.command("CONFIG", "GET", "save"), ["save", ""]);
  } finally {
    await server.stop();
  }
  assert(!exists(dir));
  assert(!await runs(pid));
  await server.stop();
});

Deno.test("a test that fails leaves neither process nor folder", async () => {
  let pid = 0;
  let dir = "";
  await assertRejects(
    async () => {
      await using server = await TestServer.start();
      ({ pid, dir } = server);
      throw new Error("the test's own");
    },
    Error,
    "the test's own",
  );
  assert(!exists(dir));
  assert(!await runs(pid));
});

Deno.test("two servers at once are two", async () => {
  await using one = await TestServer.start();
  await using two = await TestServer.start();
  assert(one.port !== two.port && one.pid !== two.pid && one.dir !== two.dir);
  await one.command("SET", "key", "one");
  assertEquals(await one.command("GET", "key"), "one");
  assertEquals(await two.command("GET", "key"), null);
});

Deno.test("configuration, bytes and error replies go through unchanged", async () => {
  await using server = await TestServer.start({
    config: { "notify-keyspace-events": "KEA", "client-output-buffer-limit": "pubsub 1mb 0 0" },
  });
  assertEquals(await server.command("CONFIG", "GET", "notify-keyspace-events"), [
    "notify-keyspace-events",
    "AKE",
  ]);
  const limits = await server.command("CONFIG", "GET", "client-output-buffer-limit") as string[];
  assertStringIncludes(limits[1]!, "pubsub 1048576 0 0");

  const key = new Uint8Array([0xff, 0x00, 0x0a, 0xfe]);
  await server.command("SET", key, 1);
  const [back] = await server.commandBytes("KEYS", "*") as Uint8Array[];
  assertEquals(new Uint8Array(back!), key);
  await assertRejects(() => server.command("NO-SUCH"), Error, "ERR unknown command 'NO-SUCH'");
});

Deno.test("a password and ACL users are in force", async () => {
  await using server = await TestServer.start({
    password: "secret",
    acl: ["reader on >word ~* resetchannels +@all -config"],
  });
  assertEquals(await server.command("PING"), "PONG");
  await using reader = await server.client({ username: "reader", password: "word" });
  assertEquals(await reader.command("ACL", "WHOAMI"), "reader");
  await assertRejects(() => reader.command("CONFIG", "GET", "port"), Error, "NOPERM");
  await assertRejects(() => server.client({ password: "wrong" }), Error, "WRONGPASS");
});

Deno.test("a server that is killed can be started again on its port", async () => {
  await using server = await TestServer.start();
  const { port, pid, dir } = server;
  await server.kill();
  assert(!await runs(pid));
  assert(exists(dir));
  await assertRejects(async () => await server.command("PING"), Error, "does not run");
  await assertRejects(() => Deno.connect({ port }), Deno.errors.ConnectionRefused);
  await server.restart();
  assertEquals(server.port, port);
  assert(server.pid !== pid);
  assertEquals(await server.command("PING"), "PONG");
});

Deno.test("a server that ends its clients still takes commands", async () => {
  await using server = await TestServer.start();
  await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no");
  await until("the client has noticed", async () => await server.command("PING") === "PONG");
  assertEquals(await Promise.all([server.command("PING"), server.command("ECHO", "x")]), [
    "PONG",
    "x",
  ]);
});

Deno.test("a restart may change the configuration, and the next one keeps that", async () => {
  await using server = await TestServer.start({ config: { "notify-keyspace-events": "KEA" } });
  const flags = async () => await server.command("CONFIG", "GET", "notify-keyspace-events");
  await server.restart({ "notify-keyspace-events": "", "maxclients": 100 });
  assertEquals(await flags(), ["notify-keyspace-events", ""]);
  await server.restart({ "notify-keyspace-events": "KEg" });
  assertEquals(await flags(), ["notify-keyspace-events", "gKE"]);
  assertEquals(await server.command("CONFIG", "GET", "maxclients"), ["maxclients", "100"]);
});

Deno.test("a paused server keeps its socket and is silent until it goes on", async () => {
  await using server = await TestServer.start();
  await server.pause();
  let answered = false;
  const answer = server.command("PING").then((reply) => {
    answered = true;
    return reply;
  });
  using connection = await Deno.connect({ hostname: server.host, port: server.port });
  assertEquals(connection.remoteAddr.port, server.port);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert(!answered);
  await server.resume();
  assertEquals(await answer, "PONG");
});

Deno.test("a paused server can be stopped", async () => {
  const server = await TestServer.start();
  const { pid, dir } = server;
  await server.pause();
  await server.stop();
  assert(!await runs(pid));
  assert(!exists(dir));
});

Deno.test("a paused server takes a signal as another does", async () => {
  await using server = await TestServer.start();
  await server.pause();
  assertEquals(await server.kill("SIGTERM"), { success: true, code: 0, signal: null });
  await server.restart();
  assertEquals((await server.kill())?.signal, "SIGKILL");
  assertEquals(await server.kill(), null);
});

Deno.test("a port that is taken is an error when it was asked for", async () => {
  await using first = await TestServer.start();
  const error = await assertRejects(() => TestServer.start({ port: first.port }), ServerStartError);
  assertStringIncludes(error.message, "Address already in use");
});

Deno.test("a program that says nothing is given up in time", async () => {
  await assertRejects(
    () =>
      TestServer.start({
        binary: { product: "redis", version: "0.0.0", command: ["sh", "-c", "exec sleep 600"] },
        startTimeout: 300,
      }),
    ServerStartError,
    "no PONG within 300 ms",
  );
});

Deno.test("servers end with the process that started them, however it ends", async (t) => {
  const script = `
    import { TestServer } from ${JSON.stringify(new URL("./mod.ts", import.meta.url).href)};
    const servers = [await TestServer.start(), await TestServer.start()];
    for (const { pid, dir } of servers) console.log(pid + " " + dir);
    console.log("ready");
    const way = Deno.args[0];
    if (way === "exit") Deno.exit(0);
    if (way === "throw") throw new Error("uncaught");
    if (way === "paused") await Promise.all(servers.map((server) => server.pause()));
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  `;
  const folder = await Deno.makeTempDir();
  const file = join(folder, "early_exit.ts");
  await Deno.writeTextFile(file, script);
  try {
    for (const way of ["exit", "throw", "SIGKILL", "SIGINT", "paused"]) {
      await t.step(way, async () => {
        const child = new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--no-check",
            "--allow-all",
            "--config",
            fileURLToPath(new URL("../../deno.json", import.meta.url)),
            file,
            way,
          ],
          stdin: "null",
          stdout: "piped",
          stderr: "null",
        }).spawn();
        let text = "";
        for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
          text += chunk;
          if (!text.includes("ready\n")) continue;
          if (way.startsWith("SIG")) child.kill(way as Deno.Signal);
          if (way === "paused") child.kill("SIGKILL");
        }
        await child.status;
        const lines = text.trim().split("\n").slice(0, -1);
        assertEquals(lines.length, 2, text);
        for (const line of lines) {
          const [pid, dir] = line.split(" ");
          await until(`process ${pid} is gone`, async () => !await runs(Number(pid)));
          await until(`${dir} is gone`, () => !exists(dir!));
        }
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("if there is no server and none may be installed, the error says how to get one", async () => {
  const none = { get: (name: string) => name === "PATH" ? "/nonexistent" : undefined };
  const error = await assertRejects(
    () => findServer({ env: none, mayInstall: false }),
    MissingServerError,
    "Cannot find a Redis or Valkey server",
  );
  for (const hint of ["apt-get install redis-server", "brew install redis", "REDIS_SERVER"]) {
    assertStringIncludes(error.message, hint);
  }
});

Deno.test("REDIS_SERVER comes before the PATH and is never passed over", async () => {
  const { command } = await findServer();
  const chosen = (path: string) => ({
    get: (name: string) => name === "REDIS_SERVER" ? path : name === "PATH" ? "/nonexistent" : "",
  });
  assertEquals((await findServer({ env: chosen(command[0]) })).command, [command[0]]);
  for (const wrong of ["/nonexistent/redis-server", "/bin/true"]) {
    const env = {
      get: (name: string) => name === "REDIS_SERVER" ? wrong : Deno.env.get(name),
    };
    await assertRejects(() => findServer({ env }), MissingServerError, wrong);
  }
});

Deno.test("valkey-server serves where redis-server is not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "valkey-server");
    await Deno.writeTextFile(
      file,
      "#!/bin/sh\necho 'Valkey server v=9.1.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'\n",
      { mode: 0o755 },
    );
    const env = { get: (name: string) => name === "PATH" ? folder : undefined };
    assertEquals(await findServer({ env }), {
      product: "valkey",
      version: "9.1.2",
      command: [file],
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
