/** `dashboard` as a server: whom it answers, and what programs get. The page has a test of its own. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import { exchange, refusesAll } from "../examples/refused.ts";
import { fails, InProcess } from "./in_process.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KA" } };

function serve(server: TestServer, ...args: string[]): InProcess {
  return InProcess.run(["dashboard", "--url", server.url, "--port", "0", ...args]);
}

Deno.test("dashboard: no request ends it, and only its own pages read", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KA" } });
  await using cli = serve(server);
  const { port } = new URL((await cli.line())!);
  await refusesAll(Number(port), "/");
  const headers = async (path: string) => {
    const from = `Host: localhost:${port}\r\nOrigin: http://localhost:${port}\r\n`;
    const answer = await exchange(Number(port), `GET ${path} HTTP/1.1\r\n${from}\r\n`);
    assertMatch(answer, /^HTTP\/1.1 200 /);
    return answer.split("\r\n\r\n")[0]!.split("\r\n").slice(1)
      .filter((line) =>
        !/^(?:date|content-length|content-type|connection|keep-alive|transfer-encoding):/i.test(
          line,
        )
      );
  };
  const ofPage = await headers("/");
  assert(ofPage.some((line) => line.startsWith("content-security-policy: default-src 'self'")));
  assertEquals(await headers("/events?x"), ofPage);
});

Deno.test("dashboard answers for other hosts that it is given", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KA" } });
  await using cli = serve(server, "--allow-host", "x.example", "--allow-host", "Dash.example:8443");
  const { port } = new URL((await cli.line())!);
  const ask = (host: string, origin: string) =>
    exchange(Number(port), `GET /events HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\n\r\n`);
  const host = "dash.example:8443";
  assertMatch(await ask(host, `https://${host}`), /^HTTP\/1.1 200 /);
  assertMatch(await ask(host, "https://other.example"), /^HTTP\/1.1 403 /);
  assertMatch(await ask("dash.example", `https://${host}`), /^HTTP\/1.1 421 /);
});

Deno.test("dashboard answers metrics and health", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = serve(server);
  const url = (await cli.line())!;
  await server.command("SET", "a", "x");
  let text = "";
  await until("it is counted", async () => {
    const answer = await fetch(`${url}metrics`);
    assertMatch(answer.headers.get("content-type")!, /^application\/openmetrics-text/);
    text = await answer.text();
    return text.includes('keywatch_events_total{kind="strings"} 1\n');
  });
  assertStringIncludes(text, `keywatch_node_ready{node="127.0.0.1:${server.port}"} 1\n`);
  assert(text.endsWith("# EOF\n"));
  const health = async () => {
    const answer = await fetch(`${url}health`);
    return [answer.status, (await answer.json()).ok];
  };
  assertEquals(await health(), [200, true]);
  await server.kill();
  await until("it says so", async () => (await health())[0] === 503);
  await server.restart();
  await until("it is well again", async () => (await health())[0] === 200);
});

Deno.test("dashboard asks for a token where others can reach it", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = serve(server, "--host", "0.0.0.0");
  const url = new URL((await cli.line())!);
  const token = url.searchParams.get("token")!;
  assert(token.length >= 32);
  const base = `http://127.0.0.1:${url.port}`;
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(base + path, { redirect: "manual", headers });
    const text = await answer.text();
    assertEquals(text.includes(token), false);
    return answer;
  };
  for (const path of ["/", "/events", "/metrics", "/health", "/page.js", "/?token=wrong"]) {
    const { status, headers } = await ask(path);
    assertEquals([status, headers.get("www-authenticate")], [401, "Bearer"], path);
  }
  assertEquals((await ask("/metrics", { authorization: `Bearer ${token}x` })).status, 401);
  assertEquals((await ask("/metrics", { authorization: `Bearer ${token}` })).status, 200);
  const first = await ask(`/?token=${token}`);
  assertEquals([first.status, first.headers.get("location")], [303, "/"]);
  const cookie = first.headers.get("set-cookie")!;
  assertMatch(cookie, /; Path=\/; HttpOnly; SameSite=Strict$/);
  assertEquals((await ask("/", { cookie: `a=b; ${cookie.split(";")[0]}` })).status, 200);
  assertEquals((await ask("/", { cookie: "keywatch_1=%zz" })).status, 401);
});

Deno.test("dashboard uses the token that it is given", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = serve(server, "--token", "sixteen letters!");
  const url = (await cli.line())!;
  assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+\/\?token=sixteen%20letters!$/);
  const { status, body } = await fetch(url, { redirect: "manual" });
  await body?.cancel();
  assertEquals(status, 303);
});

Deno.test("dashboard sends its pages what happens, also with a filter", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = serve(server, "--flushes");
  const url = (await cli.line())!;
  const stop = new AbortController();
  const { body } = await fetch(`${url}events?pattern=user:*`, { signal: stop.signal });
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const reads = async (words: string) => {
    while (!text.includes(words)) text += (await reader.read()).value ?? "";
  };
  await reads("event: all");
  await server.command("SET", "cart:1", "x");
  await server.command("SET", "user:1", "x");
  await server.command("FLUSHALL");
  await reads('"type":"flush"');
  assertStringIncludes(text, '"key":"user:1"');
  assertEquals(text.includes("cart:1"), false);
  stop.abort();
  await reader.cancel().catch(() => {});
  cli.interrupt();
  assertEquals(await cli.exited(), 0);
});

Deno.test("dashboard shows only the events that it is asked for", async () => {
  await using server = await startServer(TALKATIVE);
  await using cli = serve(server, "user:*", "--event", "append");
  const url = (await cli.line())!;
  await server.command("SET", "user:1", "x");
  await server.command("APPEND", "user:1", "x");
  await until("it is counted", async () => {
    const text = await (await fetch(`${url}metrics`)).text();
    return text.includes('keywatch_events_total{kind="strings"} 1\n');
  });
});

Deno.test("dashboard: bad input", async () => {
  const cases: [words: string, ...args: string[]][] = [
    ["--port takes a number from 0 to 65535", "--port", "65536"],
    ["--port takes a number from 0 to 65535", "--port", "x"],
    ["--host takes an address or a name", "--host", "a/b"],
    ["a token has at least 16 characters", "--token", "short"],
  ];
  for (const [words, ...args] of cases) await fails(2, words, "dashboard", ...args);
  await using server = await startServer(TALKATIVE);
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const args = ["dashboard", "--port", `${taken.addr.port}`, "--url", server.url];
  await fails(1, "the port is in use; choose another with --port", ...args);
});
