/**
 * A client of a primary and its replica loses the primary's connection under load, and goes on with the
 * replica's stream.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Connection } from "../../../pubsub/connection/connection.ts";
import { delay } from "../../../pubsub/connection/timers.ts";
import { MessageReceiver } from "../../../pubsub/connection/receiver.ts";
import { openConnection } from "../../../pubsub/connection/handshake.ts";
import { resolveOpenOptions } from "../../../pubsub/connection/options.ts";
import { type MatchedStream, StandbyMatcher } from "../../../pubsub/standby/matcher.ts";
import { Channel } from "../../../parse/mod.ts";
import { decodeText, type MessageFrame, type Reply } from "../../../resp/mod.ts";
import { matrix, startServer, type TestServer, until } from "../../servers/mod.ts";
import { follow, TALKATIVE } from "../pair.ts";

interface Event {
  readonly id: string;
  readonly event: string;
  readonly bytes: number;
}

/** One client of two servers. */
class Client {
  readonly matcher = new StandbyMatcher<Event>({ items: 10_000, bytes: 1e7 });
  readonly delivered: Event[] = [];

  take(stream: MatchedStream<Event>, event: Event): void {
    if (this.matcher.event(stream, event) !== "keep") this.delivered.push(event);
  }
}

/** Takes the events and marks of one connection. */
class Receiver extends MessageReceiver {
  readonly #client: Client;
  readonly stream: MatchedStream<Event>;

  constructor(client: Client) {
    super();
    this.#client = client;
    this.stream = client.matcher.begin();
  }

  override message({ bytes, channelStart, channelEnd, payloadStart, payloadEnd }: MessageFrame) {
    const channel = decodeText(bytes, channelStart, channelEnd);
    const event = channel.slice("__keyevent@0__:".length);
    const id = decodeText(bytes, payloadStart, payloadEnd);
    this.#client.take(this.stream, { id, event, bytes: 1 });
  }
}

async function watch(client: Client, { host, port }: TestServer): Promise<Connection> {
  const address = { hostname: host, port };
  let receiver!: Receiver;
  const { connection } = await openConnection({
    ...resolveOpenOptions({}, {}),
    address,
    signal: new AbortController().signal,
    receive: () => receiver = new Receiver(client),
  });
  await connection.subscribe([new Channel(new TextEncoder().encode("__keyevent@0__:*"), true)]);
  const mark = () =>
    connection.sendInOrder(["ROLE"], {
      answer(reply: Reply) {
        const [role, ...rest] = reply as Reply[];
        const offset = rest[decodeText(role as Uint8Array) === "master" ? 0 : 3];
        client.matcher.mark(receiver.stream, Number(offset));
        // It ends with the connection, as the test does.
        delay(2, connection.signal).then(mark, () => {});
      },
      fail() {},
    });
  mark();
  return connection;
}

for (const binary of await matrix()) {
  Deno.test(`${binary.product} ${binary.version}: a replica's stream goes on where its primary's was cut`, async () => {
    await using primary = await startServer({ ...TALKATIVE, binary });
    await using replica = await startServer({ ...TALKATIVE, binary });
    await follow(replica, primary);
    const client = new Client();
    const first = await watch(client, primary);
    const second = await watch(client, replica);
    await until("the streams are matched", () => client.matcher.isMatched);
    let written = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await Promise.all(
          Array.from({ length: 20 }, () => primary.command("SET", `key${written++}`, "")),
        );
      }
    })();
    await until("events arrive", () => client.delivered.length > 1_000);
    first.close();
    const takeOver = client.matcher.takeOver(false);
    assert(takeOver !== null, "the streams are unmatched");
    assertEquals(takeOver.unknown.size, 0);
    client.delivered.push(...takeOver.events);
    const before = client.delivered.length;
    await until("more events arrive", () => client.delivered.length > before + 500);
    isOver = true;
    await writing;
    await until("all events arrive", () => client.delivered.length >= written);
    second.close();
    assertEquals(
      client.delivered.map(({ id }) => id),
      Array.from({ length: written }, (_, index) => `key${index}`),
    );
  });
}
