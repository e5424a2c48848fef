/** `top` as it runs: on a terminal, where it has the screen to itself, and elsewhere. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Output } from "../../cli/output.ts";
import { run } from "../../cli/run.ts";
import { sleep, startCluster, startServer, type TestServer, until } from "../servers/mod.ts";
import { fails, InProcess } from "./in_process.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const PLAIN = { env: { NO_COLOR: "1" } };

for (const [name, keys] of [["q", "q"], ["Ctrl-C", "\x03"]] as const) {
  Deno.test(`top draws what happens, until ${name}, and gives the terminal back`, async () => {
    await using server = await startServer(TALKATIVE);
    await using tool = Tool.runOnTerminal(["top", "--url", server.url], PLAIN);
    const first = await tool.linesUntil("EVENT");
    assertStringIncludes(first.join("\n"), ENTER);
    assertStringIncludes(
      first.join("\n"),
      ` keywatch top  * on 127.0.0.1:${server.port}, all data`,
    );
    for (let i = 0; i < 7; i++) await server.command("SET", `user:${i}`, "x");
    await tool.linesUntil("user:*");
    // Escaped as everywhere.
    await server.command("SET", "\x1b[2J", "x");
    await tool.linesUntil("\\x1b[2J");
    await tool.type(keys);
    const rest = await tool.rest();
    assert(rest.trimEnd().endsWith(LEAVE), JSON.stringify(rest.slice(-200)));
    assertEquals(rest.split(LEAVE).length, 2);
    assertEquals(await tool.exited(), 0);
  });
}

Deno.test("top is coloured on terminals with colours", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["top", "--url", server.url], { env: { NO_COLOR: "" } });
  await tool.linesUntil("EVENT");
  await server.command("SET", "user:1", "x");
  const lines = await tool.linesUntil("user:*");
  assertStringIncludes(lines.at(-1)!, "\x1b[32m set ");
});

Deno.test("top shows a node that is lost, and the gap, and reports both afterwards", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["top", "--url", server.url], PLAIN);
  await tool.linesUntil(`● 127.0.0.1:${server.port}`);
  await server.kill();
  await tool.linesUntil(`○ 127.0.0.1:${server.port}  reconnecting for `);
  await server.restart();
  await tool.linesUntil("gap of ");
  await tool.linesUntil(`● 127.0.0.1:${server.port}`);
  await tool.type("q");
  assertStringIncludes((await tool.rest()).split(LEAVE)[1]!, `lost 127.0.0.1:${server.port}`);
  assertEquals(await tool.exited(), 0);
});

/** A terminal that takes up results late, so that notes can overtake them. */
class LateTerminal extends Output {
  readonly printed: string[] = [];
  #pending = Promise.resolve();

  override get isTerminal(): boolean {
    return true;
  }

  override write(text: string): void {
    this.#pending = this.#pending.then(() => sleep(10)).then(() => void this.printed.push(text));
  }

  override note(text: string): void {
    this.printed.push(text);
  }

  override flush(): Promise<void> {
    return this.#pending;
  }
}

Deno.test("top prints its notes only after a slow terminal has left the screen", async () => {
  await using server = await startServer(TALKATIVE);
  const output = new LateTerminal();
  const interrupt = new AbortController();
  const ended = run(["top", "--url", server.url], { output, signal: interrupt.signal });
  await until("it shows the server", () => output.printed.some((text) => text.includes("●")));
  await server.kill();
  await until("it shows the loss", () => output.printed.some((text) => text.includes("○")));
  interrupt.abort();
  assertEquals(await ended, 0);
  await output.flush();
  const left = output.printed.indexOf(LEAVE);
  const noted = output.printed.findIndex((text) => text.startsWith("lost "));
  assert(left !== -1 && left < noted, JSON.stringify(output.printed.slice(-3)));
});

Deno.test("top gives the terminal back after --for", async () => {
  await using server = await startServer(TALKATIVE);
  const args = ["top", "--for", "300ms", "--url", server.url];
  await using tool = Tool.runOnTerminal(args, PLAIN);
  assert((await tool.rest()).trimEnd().endsWith(LEAVE));
  assertEquals(await tool.exited(), 0);
});

Deno.test("top gives the terminal back when something fails that nobody foresaw", async () => {
  const program = [Deno.execPath(), "run", "--no-prompt", "tests/cli/crash.ts"];
  await using tool = Tool.runOnTerminal([], { program });
  const text = await tool.rest();
  assertEquals(await tool.exited(), 1);
  assert(text.indexOf(LEAVE) > text.indexOf("drawn"), JSON.stringify(text));
  assertStringIncludes(text.split(LEAVE)[1]!, "nobody foresaw this");
});

/**
 * Sets a key until the CLI has heard of it: while messages come, it asks for an answer now and then. The
 * first question may have been under way before.
 */
async function setUntilHeard(server: TestServer, key: string): Promise<void> {
  const before = await countQuestions(server);
  await until("it has heard something", async () => {
    await server.command("SET", key, "x");
    return await countQuestions(server) >= before + 2;
  });
}

/** How many commands a server has run by which the CLI asks for a sign of life. */
async function countQuestions(server: TestServer): Promise<number> {
  const text = String(await server.command("INFO", "commandstats"));
  const counts = text.matchAll(/^cmdstat_(?:ping|role):calls=(\d+)/gm);
  return [...counts].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

Deno.test("top prints a summary where there is no terminal, also when it is interrupted", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.run(["top", "user:*", "--event", "set", "--url", server.url]);
  await tool.noted("watching user:* (set) on");
  await server.command("SET", "cache:1", "x");
  await server.command("SET", "user:1", "x");
  await server.command("DEL", "user:1");
  await setUntilHeard(server, "user:2");
  tool.kill("SIGINT");
  const text = await tool.rest();
  assertEquals(await tool.exited(), 0);
  assertEquals(text.includes("\x1b"), false);
  for (const words of [" set ", " user:* ", "0 gaps", `● 127.0.0.1:${server.port}`]) {
    assertStringIncludes(text, words);
  }
  for (const words of ["q quits", " del ", "cache"]) assertEquals(text.includes(words), false);
});

Deno.test("top prints the summary after --for", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = InProcess.run(["top", "--for", "200ms", "--url", server.url]);
  assertStringIncludes(await tool.rest(), "nothing yet");
  assertEquals(await tool.exited(), 0);
});

Deno.test("top shows every node of a cluster with its slots", async () => {
  await using cluster = await startCluster(TALKATIVE);
  await using tool = InProcess.run(["top", "--url", cluster.urls[2]!]);
  await tool.noted("watching * on 3 nodes");
  for (const key of ["a", "b", "c", "d"]) {
    await setUntilHeard(await cluster.ownerOf(key), key);
  }
  tool.interrupt();
  const text = await tool.rest();
  for (const [i, slots] of ["0-5460", "5461-10922", "10923-16383"].entries()) {
    const { port } = cluster.servers[i]!;
    const line = text.split("\n").find((line) => line.includes(`● 127.0.0.1:${port}`));
    assertStringIncludes(line!, `slots ${slots}`);
  }
  assertStringIncludes(text, " set ");
  assertEquals(await tool.exited(), 0);
});

Deno.test("top: bad input", async () => {
  await fails(2, "--for takes a duration", "top", "--for", "soon");
  await fails(2, "an argument looks like the URL", "top", "redis://127.0.0.1");
  await fails(2, "there is no option --jsn; did you mean --json?", "top", "--jsn");
  await fails(1, "check that a server listens there", "top", "--url", "redis://127.0.0.1:1");
});

Deno.test("top --json prints the summary as one object, --once also on a terminal", async () => {
  await using server = await startServer(TALKATIVE);
  const args = ["--url", server.url, "--for", "2s"];
  await using tool = InProcess.run(["top", "--json", ...args]);
  await using once = Tool.runOnTerminal(["top", "--once", ...args], PLAIN);
  await tool.noted("watching *");
  await once.linesUntil("watching *");
  await server.command("SET", "user:1", "x");
  const lines = (await tool.rest()).trimEnd().split("\n");
  assertEquals([lines.length, await tool.exited()], [1, 0]);
  const { total, events, prefixes, nodes, gapCount, seconds, elapsed } = JSON.parse(lines[0]!);
  assertEquals([total, gapCount, seconds.length], [1, 0, 60]);
  assert(elapsed >= 2_000);
  assertEquals([events.length, events[0].name, events[0].total], [1, "set", 1]);
  assertEquals(prefixes[0].name, "user:*");
  assertEquals([nodes[0].node, nodes[0].state], [`127.0.0.1:${server.port}`, "ready"]);
  const text = await once.rest();
  assertStringIncludes(text, " user:* ");
  assertEquals(text.includes(ENTER), false);
});

Deno.test("top pauses, filters, and opens a prefix by keys", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["top", "--url", server.url], PLAIN);
  await tool.linesUntil("q quits");
  const set = async (...keys: string[]) => {
    for (const key of keys) await server.command("SET", key, "x");
  };
  await set("user:1", "user:2", "cart:1");
  await tool.linesUntil("cart:*");
  await tool.type(" ");
  await tool.linesUntil("PAUSED, 0 new");
  await set("user:3");
  await tool.linesUntil("PAUSED, 1 new");
  await tool.type(" /user");
  await tool.linesUntil("/user▏");
  await tool.type("\r\x1b[B");
  await tool.linesUntil("›user:*");
  await tool.type("\r");
  await tool.linesUntil("user:* of *");
  await set("user:4", "cart:2");
  await tool.linesUntil(" user:4 ");
  // Out of the prefix, in one step: no filter and no row is left to give up.
  await tool.type("\x7f");
  await tool.linesUntil(" cart:* ");
  await tool.type("q");
  assertEquals((await tool.ended()).code, 0);
});

Deno.test("top says when an outage is over", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.runOnTerminal(["top", "--url", server.url], PLAIN);
  await tool.linesUntil(`● 127.0.0.1:${server.port}`);
  await server.kill();
  await tool.linesUntil("reconnecting for ");
  await server.restart();
  await tool.linesUntil(`127.0.0.1:${server.port} is back after `);
});
