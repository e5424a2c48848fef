import { assert, assertEquals } from "@std/assert";
import { startServer, type TestServer, until } from "../servers/mod.ts";
import { numberOf, Writer } from "./writer.ts";

function lane(server: TestServer, rate = 1000) {
  return { name: "a", target: () => server, rate };
}

/** The numbers that a server was sent, in its order. */
async function numbersOf(server: TestServer): Promise<number[]> {
  const keys = await server.command("KEYS", "n:*") as string[];
  return keys.map((key) => numberOf(key)!).sort((a, b) => a - b);
}

Deno.test("each number is written once, in order, and answered in its time", async () => {
  await using server = await startServer();
  const writer = new Writer([lane(server)]);
  await until("there are some", () => writer.writes.length > 300);
  const before = Date.now();
  await writer.stop();
  const { writes } = writer;
  const numbers = writes.map(({ number }) => number);
  assertEquals(numbers, Array.from(writes, (_, index) => index + 1));
  assertEquals(await numbersOf(server), numbers);
  assert(writes.every(({ sentAt, answeredAt, refused }) => sentAt <= answeredAt! && !refused));
  assert(writes.every(({ sentAt }, index) => index === 0 || writes[index - 1]!.sentAt <= sentAt));
  assert(writes[0]!.answeredAt! <= before);
});

Deno.test("keys are longer when asked, and old ones go", async () => {
  await using server = await startServer();
  await using writer = new Writer([lane(server, 5000)]);
  await until("there are some", () => writer.writes.length > 1500);
  writer.padding = 500;
  const from = writer.writes.length + 1;
  await until("there are some more", () => writer.writes.length > from + 1200);
  await writer.stop();
  const keys = await server.command("KEYS", "*") as string[];
  assertEquals(keys.length, 1000);
  assert(keys.every((key) => key.length > 500 && numberOf(key)! >= from));
});

Deno.test("goes on after a restart, and knows what it does not know", async () => {
  await using server = await startServer();
  await using writer = new Writer([lane(server)]);
  await until("there are some", () => writer.writes.length > 100);
  // What is sent now waits for ever.
  server.pause();
  const from = writer.writes.length;
  await until("there are some more", () => writer.writes.length > from + 50);
  await server.kill();
  await server.restart();
  const again = writer.writes.length;
  await until("it writes again", () => writer.writes.length > again + 100);
  await writer.stop();
  const unanswered = writer.writes.filter(({ answeredAt }) => answeredAt === null);
  assert(unanswered.length >= 50);
  assertEquals(new Set(writer.writes.map(({ lane }) => lane)), new Set(["a#1", "a#2"]));
  const present = new Set(await numbersOf(server));
  const executed = writer.writes.filter(({ lane, answeredAt }) =>
    lane === "a#2" && answeredAt !== null
  );
  assert(executed.length >= 100);
  assertEquals(executed.filter(({ number }) => !present.has(number)), []);
});

Deno.test("what the server refuses is refused, and the next server is asked for", async () => {
  await using server = await startServer({ password: "secret" });
  await using other = await startServer();
  let target = server;
  await using writer = new Writer([{ name: "a", target: () => target, rate: 1000 }]);
  await until("some are refused", () => writer.writes.some(({ refused }) => refused));
  assertEquals(await numbersOf(server), []);
  target = other;
  await until("some are written", () => {
    return writer.writes.some(({ answeredAt, refused }) => answeredAt !== null && !refused);
  });
  await writer.stop();
  const executed = writer.writes.filter(({ answeredAt, refused }) => {
    return answeredAt !== null && !refused;
  });
  assertEquals(await numbersOf(other), executed.map(({ number }) => number));
});

Deno.test("several lanes share the numbers; credentials are given", async () => {
  const acl = ["writer on >secret ~* &* +@all"];
  await using first = await startServer({ password: "other", acl });
  await using second = await startServer({ password: "other", acl });
  const credentials = { username: "writer", password: "secret" };
  const writer = new Writer([
    { ...lane(first), credentials },
    { ...lane(second), name: "b", credentials },
  ]);
  const lanes = () => new Set(writer.writes.map(({ lane }) => lane));
  await until("both write", () => lanes().size === 2 && writer.writes.length > 200);
  await writer.stop();
  const numbers = [...await numbersOf(first), ...await numbersOf(second)].sort((a, b) => a - b);
  assertEquals(numbers, Array.from(writer.writes, (_, index) => index + 1));
});
