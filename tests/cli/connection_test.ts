/** How the CLI connects and authenticates: the options, and the environment. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import {
  type Certificates,
  makeCertificates,
  startServer,
  type TestServer,
} from "../servers/mod.ts";
import { commandsIn, obey } from "./doctor.ts";
import type { Cli } from "./cli.ts";
import { fails, InProcess } from "./in_process.ts";
import { Tool, TRUSTED } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
/** It watches this server, and hears of it. */
async function watches(server: TestServer, cli: Cli): Promise<void> {
  await using _ = cli;
  await cli.noted("watching");
  await server.command("SET", "k", "x");
  assertEquals((await cli.line())?.slice(-1), "k");
  assertEquals((await cli.ended()).code, 0);
}

const WATCH_ONE = ["watch", "--count", "1"];

/** Watches with these arguments. */
function watch(...args: string[]): Cli {
  return InProcess.run([...WATCH_ONE, ...args]);
}

/** Watches with these environment variables, in a process that may read them. */
function watchWith(env: Record<string, string>, ...args: string[]): Cli {
  return Tool.run([...WATCH_ONE, ...args], { program: TRUSTED, env });
}

Deno.test("the server comes from --url, else from the environment", async () => {
  await using server = await startServer(TALKATIVE);
  await watches(server, watchWith({ REDIS_URL: server.url }));
  await watches(server, watchWith({ REDIS_URL: "redis://127.0.0.1:1" }, "--url", server.url));
  await watches(server, watchWith({ REDIS_URL: server.url.replace("redis", "valkey") }));
});

Deno.test("the letters of redis-cli name the server, the user and the database", async () => {
  const acl = ["ana on >pa ~* &* +@all"];
  await using server = await startServer({ ...TALKATIVE, acl, password: "pd" });
  const { port, socket } = server;
  const env = { REDIS_URL: "redis://127.0.0.1:1" };
  await watches(server, watch("-u", `redis://127.0.0.1:${port}`, "-a", "pd"));
  await watches(server, watch("-h", "127.0.0.1", "-p", `${port}`, "-a", "pd", "-n", "0"));
  await watches(server, watchWith(env, "-p", `${port}`, "--user", "ana", "-a", "pa"));
  await watches(server, watch("-s", socket, "-a", "pd"));
  await using top = InProcess.run(["top", "-p", `${port}`, "-a", "pd", "--for", "100ms"]);
  assertEquals((await top.ended()).code, 0);
  await using doctor = InProcess.run(["doctor", "-p", `${port}`, "-a", "pd"]);
  assertEquals((await doctor.ended()).code, 0);
});

Deno.test("what the letters of redis-cli cannot be", async () => {
  const cases: [words: string, ...args: string[]][] = [
    ["--url already names the server", "-u", "redis://a", "-h", "b"],
    ["-s names a unix socket", "-s", "/tmp/x", "-p", "1"],
    ["-s takes the path of a unix socket", "-s", ""],
    ['-p takes a port from 1 to 65535, not "0"', "-p", "0"],
    ['-p takes a port from 1 to 65535, not "65536"', "-p", "65536"],
    ['-p takes a port from 1 to 65535, not "1e3"', "-p", "1e3"],
    ["-h takes a host name or an address", "-h", "a:1"],
    ["-h takes a host name or an address", "-h", "a/b"],
    ["-h takes a host name or an address", "-h", ""],
    ["the value of -h looks like the URL of a server", "-h", "redis://a"],
    ["-a lacks its value", "-a"],
  ];
  for (const [words, ...args] of cases) await fails(2, words, "watch", ...args);
  const ipv6 = ["watch", "-h", "::1", "-p", "1"];
  await fails(1, "[::1]:1", ...ipv6);
});

Deno.test("an environment that may not be read is as good as empty", async () => {
  await using server = await startServer(TALKATIVE);
  const program = [Deno.execPath(), "run", "--no-prompt", "--allow-net=127.0.0.1", "cli/mod.ts"];
  const env = { REDIS_PASSWORD: "unasked" };
  const args = [...WATCH_ONE, "--url", server.url];
  await watches(server, Tool.run(args, { program, env }));
  await using tool = Tool.run(["watch"], { program, env: { REDIS_URL: server.url } });
  const { code, stderr } = await tool.ended();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "localhost:6379");
});

Deno.test("nothing of a malformed URL is printed, wherever it was given", async () => {
  const urls = [
    "http://:Qx7Zv9@127.0.0.1",
    "redis://u:12/Qx7Zv9@127.0.0.1",
    "redis://u:Qx7Zv9/0",
    "u:Qx7Zv9@127.0.0.1",
    "valkeys://Qx7Zv9@127.0.0.1",
    "redis+unix://u:Qx7#Zv9@/run/redis.sock",
  ];
  for (const url of urls) {
    for (const command of ["watch", "doctor"]) {
      await using given = InProcess.run([command, "--url", url]);
      const { code, stderr } = await given.ended();
      assertEquals([code, /Qx7|x7Z|Zv9/i.test(stderr)], [2, false], stderr);
    }
  }
  await using tool = Tool.run(["watch"], { program: TRUSTED, env: { REDIS_URL: urls[1]! } });
  const { code, stderr } = await tool.ended();
  assertEquals([code, /Qx7|x7Z|Zv9/i.test(stderr)], [2, false], stderr);
  assertStringIncludes(stderr, "keywatch: $REDIS_URL: Cannot read the server URL");
  assertStringIncludes(stderr, "percent-encoded");
});

Deno.test("user and password come from the options, else the URL, else the environment", async () => {
  const acl = ["ana on >pa ~* &* +@all", "bo on >pb ~* &* +@all"];
  await using server = await startServer({ ...TALKATIVE, acl, password: "nobodys" });
  const { url, port } = server;
  const env = { REDIS_USERNAME: "ana", REDIS_PASSWORD: "pa" };
  const wrong = { REDIS_USERNAME: "ana", REDIS_PASSWORD: "wrong" };
  await watches(server, watchWith(env, "--url", url));
  await watches(server, watchWith(wrong, "--url", `redis://bo:pb@127.0.0.1:${port}`));
  const withOptions = [
    "--url",
    `redis://x:y@127.0.0.1:${port}`,
    "--user",
    "bo",
    "--password",
    "pb",
  ];
  await watches(server, watchWith(wrong, ...withOptions));
  await using tool = Tool.run(["watch", "--url", url], { program: TRUSTED, env: wrong });
  const { code, stderr } = await tool.ended();
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'as user "ana": WRONGPASS');
  assertStringIncludes(stderr, "; check the URL, or --user and --password\n");
  await using nobody = InProcess.run(["watch", "--url", url]);
  assertStringIncludes(
    (await nobody.ended()).stderr,
    "put it into the URL (redis://:password@host) or --password\n",
  );
});

Deno.test("--db goes before the URL's database, and * is all of them", async () => {
  await using server = await startServer(TALKATIVE);
  await using one = InProcess.run(["watch", "--db", "3", "--url", `${server.url}/2`]);
  await using all = InProcess.run(["watch", "--db", "*", "--url", `${server.url}/2`]);
  await one.noted("database 3;");
  await all.noted("all databases;");
  for (const db of [2, 3]) {
    await server.command("SELECT", db);
    await server.command("SET", `in ${db}`, "x");
  }
  assertStringIncludes((await one.line())!, "db3  set           in 3");
  assertStringIncludes((await all.line())!, "db2  set           in 2");
});

Deno.test("a unix socket is watched, one of its databases too", async () => {
  await using server = await startServer(TALKATIVE);
  const { socket } = server;
  await watches(server, watch("--url", `redis+unix://${socket}`));
  await watches(server, watch("--url", `valkey+unix://${socket}?db=0`));
});

Deno.test("the task of deno.json may use unix sockets", async () => {
  await using server = await startServer(TALKATIVE);
  const text = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  for (const [task, args] of [["keywatch", WATCH_ONE], ["watch", WATCH_ONE.slice(1)]] as const) {
    const [, ...words] = JSON.parse(text).tasks[task].command.split(" ");
    const program = [Deno.execPath(), words[0], "--no-prompt", ...words.slice(1)];
    await watches(server, Tool.run([...args, "-s", server.socket], { program }));
  }
});

/** Writes what a client of TLS needs into the server's folder, each as the option it is for. */
async function filesOf(server: TestServer, tls: Certificates): Promise<string[]> {
  const files: string[] = [];
  for (const [name, text] of [["ca", tls.ca], ["cert", tls.client.cert], ["key", tls.client.key]]) {
    // A name that a shell would take apart.
    const path = join(server.dir, `the ${name}.pem`);
    await Deno.writeTextFile(path, text!);
    files.push(`--${name}`, path);
  }
  return files;
}

Deno.test("TLS goes by the files of the options, with --tls or without", async () => {
  const tls = await makeCertificates();
  await using server = await startServer({ ...TALKATIVE, tls });
  const files = await filesOf(server, tls);
  await watches(server, watch("--url", server.tlsUrl, ...files));
  await watches(server, watch("--url", server.tlsUrl.replace("rediss", "valkeys"), ...files));
  const plain = server.tlsUrl.replace("rediss:", "redis:");
  await watches(server, watch("--url", `${plain}/0`, "--tls", ...files));
  await watches(server, watch("--url", plain, ...files, "--servername", "localhost"));
  const probing = ["doctor", "--probe", "--url", plain, ...files];
  await using looked = InProcess.run(probing);
  const report = await looked.rest();
  assertEquals(await looked.exited(), 0, report);
  assertStringIncludes(report, ", over TLS");
  const misnamed = ["watch", "--url", plain, ...files, "--servername", "elsewhere.test"];
  await using tool = InProcess.run(misnamed);
  assertEquals((await tool.ended()).code, 1);
});

Deno.test("errors of TLS name the options of the CLI", async () => {
  const tls = await makeCertificates();
  await using server = await startServer({ ...TALKATIVE, tls });
  const [ca, caFile, ...client] = await filesOf(server, tls) as [string, string, ...string[]];
  const noPem = join(server.dir, "no.pem");
  await Deno.writeTextFile(noPem, "what is this");
  const cases: [words: string, ...args: string[]][] = [
    ["give its authority's certificate as --ca, and check that it has not expired"],
    ["give one as --cert and --key\n", ca, caFile],
    [
      "set --servername to a name that it is for\n",
      ca,
      caFile,
      "--servername",
      "a.test",
      ...client,
    ],
    ["over TLS: --ca contains no CERTIFICATE in PEM; ", ca, noPem],
  ];
  for (const [words, ...args] of cases) {
    await using tool = InProcess.run(["watch", "--url", server.tlsUrl, ...args]);
    const { code, stderr } = await tool.ended();
    assertEquals([code, stderr.trimEnd().split("\n").length], [1, 1], stderr);
    assertStringIncludes(stderr, words);
  }
});

Deno.test("the commands that doctor suggests use the TLS options of the CLI, and work", async () => {
  const tls = await makeCertificates();
  await using server = await startServer({ tls });
  const files = await filesOf(server, tls);
  const args = ["doctor", "--url", server.tlsUrl, ...files, "--servername", "localhost"];
  await using tool = InProcess.run(args);
  // The other one is for a file of settings, which this server has not.
  const [command] = commandsIn(await tool.rest());
  await obey(command!);
  assertEquals(await server.command("CONFIG", "GET", "notify-keyspace-events"), [
    "notify-keyspace-events",
    "AK",
  ]);
});
