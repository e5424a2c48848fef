import { assert, assertEquals } from "@std/assert";
import { sleep, startServer, type TestServer, until } from "../servers/mod.ts";
import { Book } from "./book.ts";
import { judge } from "./ledger.ts";
import { FLAGS } from "./stage.ts";
import { Watcher } from "./watcher.ts";
import { type Place, Writer } from "./writer.ts";

/** What a server executes, seen by `MONITOR`: the numbers of the writes, in its order. */
class Monitor implements AsyncDisposable {
  readonly numbers: (number | null)[] = [];
  readonly #socket: Deno.TcpConn;
  readonly #reading: Promise<void>;

  private constructor(socket: Deno.TcpConn, book: Book) {
    this.#socket = socket;
    this.#reading = this.#read(book);
  }

  static async start({ host, port }: TestServer, book: Book): Promise<Monitor> {
    const socket = await Deno.connect({ hostname: host, port });
    await socket.write(new TextEncoder().encode("MONITOR\r\n"));
    await socket.read(new Uint8Array(64));
    return new Monitor(socket, book);
  }

  async #read(book: Book): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    const read = () => this.#socket.read(buffer).catch(() => null);
    for (let length; (length = await read()) !== null;) {
      const text = decoder.decode(buffer.subarray(0, length));
      const lines = (rest + text).split("\r\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const [, command, key] = /\] "(SET|APPEND|DEL)" "(.*?)"/.exec(line) ?? [];
        if (command) this.numbers.push(book.find(command.toLowerCase(), key!));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#reading;
  }
}

function executed(book: Book): number[] {
  return book.writes.filter(({ answeredAt, refused }) => answeredAt !== null && !refused)
    .map(({ number }) => number);
}

Deno.test("each write is executed once, in order, and answered in its time", async () => {
  const book = new Book();
  await using server = await startServer();
  await using monitor = await Monitor.start(server, book);
  const writer = new Writer({ book, rate: 4000, lanes: [{ name: "a", target: () => server }] });
  await until("there are some", () => book.writes.length > 3000);
  await writer.stop();
  const after = Date.now();
  const { writes } = book;
  const numbers = Array.from(writes, (_, index) => index + 1);
  assertEquals(executed(book), numbers);
  assert(writes.every(({ sentAt, answeredAt }) => sentAt <= answeredAt! && answeredAt! <= after));
  assert(writes.every(({ sentAt }, index) => index === 0 || writes[index - 1]!.sentAt <= sentAt));
  // A key is deleted after the one that is too many was set, and it may stop between the two.
  assert([1000, 1001].includes(await server.command("DBSIZE") as number));
  await until("the monitor has seen it", () => monitor.numbers.length >= numbers.length);
  await server.kill();
  assertEquals(monitor.numbers, numbers);
});

Deno.test("an event that no write has is nobody's", () => {
  const book = new Book();
  const entry = { lane: "a", sentAt: 1, answeredAt: null, refused: false };
  book.enter("set", entry);
  book.enter("append", entry, 1);
  book.enter("set", entry);
  book.enter("del", entry, 1);
  const found = [
    "set n:1:",
    "append n:1:xx",
    "set n:3:{tag}",
    "del n:1:",
    "del n:3:",
    "restore n:1:",
  ]
    .map((text) => book.find(...text.split(" ") as [string, string]));
  assertEquals(found, [1, 2, 3, 4, null, null]);
  assertEquals([book.find("set", "k"), book.find("set", "n:2:")], [null, null]);
});

Deno.test("keys are longer when asked; nothing is written while it is paused", async () => {
  const book = new Book();
  await using server = await startServer();
  await using writer = new Writer({
    book,
    rate: 1000,
    lanes: [{ name: "a", target: () => server }],
  });
  writer.padding = 500;
  await until("there are some", () => book.writes.length > 100);
  writer.paused = true;
  const { length } = book.writes;
  const keys = await server.command("KEYS", "*") as string[];
  assert(keys.length > 50 && keys.every((key) => key.length > 500));
  await sleep(100);
  assertEquals(book.writes.length, length);
  writer.paused = false;
  await until("it writes again", () => book.writes.length > length);
});

Deno.test("goes on after a restart, and knows what it does not know", async () => {
  const book = new Book();
  await using server = await startServer();
  await using writer = new Writer({
    book,
    rate: 1000,
    lanes: [{ name: "a", target: () => server }],
  });
  await until("there are some", () => book.writes.length > 100);
  // What is sent now is never answered.
  await server.pause();
  const from = book.writes.length;
  await until("there are some more", () => book.writes.length > from + 50);
  await server.kill();
  writer.paused = true;
  await server.restart();
  await using monitor = await Monitor.start(server, book);
  writer.paused = false;
  const again = book.writes.length;
  await until("it writes again", () => book.writes.length > again + 1500);
  await writer.stop();
  assert(book.writes.filter(({ answeredAt }) => answeredAt === null).length >= 50);
  assertEquals(new Set(book.writes.map(({ lane }) => lane)), new Set(["a#1", "a#2"]));
  const later = book.writes.filter(({ lane }) => lane === "a#2");
  await until("the monitor has seen it", () => monitor.numbers.length >= later.length);
  await server.kill();
  assertEquals(monitor.numbers, later.map(({ number }) => number));
  // What was to be deleted is gone already.
  assert(later.some(({ answeredAt, refused }) => answeredAt !== null && refused));
});

Deno.test("what the server refuses is refused, and the next server is asked for", async () => {
  const book = new Book();
  await using server = await startServer({ password: "secret" });
  await using other = await startServer();
  await using monitor = await Monitor.start(other, book);
  let target = server;
  const errors = new Set<string>();
  const writer = new Writer({
    book,
    rate: 1000,
    lanes: [{ name: "a", target: () => target, onError: (line) => errors.add(line) }],
  });
  await until("some are refused", () => book.writes.some(({ refused }) => refused));
  target = other;
  await until("some are written", () => executed(book).length > 100);
  await writer.stop();
  assertEquals([...errors], ["-NOAUTH Authentication required."]);
  await until("the monitor has seen it", () => monitor.numbers.length >= executed(book).length);
  await other.kill();
  assertEquals(monitor.numbers, executed(book));
});

Deno.test("a server that hangs is left when another one is the target", async () => {
  const book = new Book();
  await using server = await startServer();
  await using other = await startServer();
  let target = server;
  await using writer = new Writer({
    book,
    rate: 1000,
    lanes: [{ name: "a", target: () => target }],
  });
  await until("there are some", () => executed(book).length > 50);
  await server.pause();
  target = other;
  await until("it writes to the other one", () => {
    return book.writes.some(({ lane, answeredAt }) => lane === "a#2" && answeredAt !== null);
  });
  await writer.stop();
  assertEquals(new Set(book.writes.map(({ lane }) => lane)), new Set(["a#1", "a#2"]));
});

Deno.test("several lanes share the numbers, and each key stays with its slot's owner", async () => {
  const book = new Book();
  const acl = ["writer on >secret ~* &* +@all"];
  const options = { password: "other", acl };
  await using first = await startServer(options);
  await using second = await startServer(options);
  const credentials = { username: "writer", password: "secret" };
  const places: Place[] = [{ slot: 0, tag: "zero" }, { slot: 1, tag: "one" }];
  let turn = 0;
  const writer = new Writer({
    book,
    rate: 4000,
    lanes: [
      { name: "a", target: () => first, credentials },
      { name: "b", target: () => second, credentials },
    ],
    place: () => places[turn++ % 2]!,
    route: (slot) => ({ lane: slot, node: `node ${slot}` }),
  });
  await until("there are some", () => book.writes.length > 3000);
  await writer.stop();
  for (const [slot, server] of [first, second].entries()) {
    const keys = await server.command("KEYS", "*") as string[];
    assert(keys.length > 400);
    assert(keys.every((key) => key.endsWith(`{${places[slot]!.tag}}`)));
  }
  for (const { lane, node, slot, refused } of book.writes) {
    assert(!refused);
    assertEquals([lane, node], slot === 0 ? ["a#1", "node 0"] : ["b#1", "node 1"]);
  }
});

Deno.test("keys expire and are renamed, and each event of that is a write's", async () => {
  const book = new Book();
  await using server = await startServer({ config: FLAGS });
  await using watcher = await Watcher.start({
    book,
    target: server.url,
    channels: ["__keyspace@0__:n:*"],
    consumer: "loop",
    connect: {},
  });
  const writer = new Writer({
    book,
    rate: 2000,
    everyKind: true,
    lanes: [{ name: "a", target: () => server }],
  });
  await until("there are some", () => book.writes.length > 3000);
  await writer.stop();
  const report = () => judge({ writes: book.writes, seen: watcher.seen, happenings: [] });
  await until("all has come", () => report().lostInSilence.length === 0);
  const { unexpected, duplicated, outOfOrder } = report();
  assertEquals([unexpected, duplicated, outOfOrder], [[], [], []]);
  const expired = book.writes.filter(({ lane }) => lane.startsWith("expiry"));
  assert(expired.length > 200);
  assert(expired.every(({ sentAt, answeredAt }) => answeredAt! > sentAt));
});
