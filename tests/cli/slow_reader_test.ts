import { assert, assertEquals } from "@std/assert";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const SIZE = 4 * 1024 * 1024;

/** More than the pipe and the queue of the CLI, of 64 MiB, hold together. */
const KEYS = 22;

/** Touches keys whose names are of four megabytes each, no faster than the CLI reads. */
async function touch(server: TestServer, count: number): Promise<void> {
  for (let key = 0; key < count; key++) {
    await server.command("SET", `${String(key).padStart(3, "0")}:`.padEnd(SIZE, "k"), "x");
    await server.command("FLUSHALL");
    await until("the server has sent all it had", async () => {
      const clients = String(await server.command("CLIENT", "LIST", "TYPE", "pubsub"));
      return clients.includes("name=keywatch-watch") && / oll=0 omem=0 /.test(clients);
    });
  }
}

Deno.test("a slow reader slows nothing but itself, and gets the gap", async () => {
  await using server = await startServer(TALKATIVE);
  await using tool = Tool.run(["watch", "--url", server.url]);
  await tool.noted("watching");
  await touch(server, KEYS);
  await server.command("SET", "the last", "x");

  const shown: string[] = [];
  for (const line of await tool.linesUntil("the last")) {
    const key = /set {11}(\d+):k+$/.exec(line)?.[1];
    if (key !== undefined) shown.push(key);
  }
  tool.kill("SIGINT");
  const { code, stderr } = await tool.ended();
  assertEquals(code, 0, stderr);
  assertEquals(stderr.includes("lost"), false, stderr);
  const gaps = [
    ...stderr.matchAll(/\ngap: (\d+) notifications? (?:is|are) missing .*\(overflow\)/g),
  ];
  const dropped = gaps.reduce((sum, [, count]) => sum + Number(count), 0);
  assert(dropped > 0, `${shown.length} of ${KEYS} shown, ${stderr}`);
  assertEquals(shown.length + dropped, KEYS);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends it also while its reader is slow`, async () => {
    await using server = await startServer(TALKATIVE);
    await using tool = Tool.run(["watch", "--url", server.url]);
    await tool.noted("watching");
    await touch(server, 1);
    tool.kill(signal);
    assertEquals(await tool.exited(), 0);
  });
}
