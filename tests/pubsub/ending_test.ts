/**
 * Every wait ends when it is stopped, and leaves nothing: no timer, which the sanitizers see, and no
 * connection. "At once" is counted in turns of the event loop, of which a busy machine takes as many.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ClosedError, connect, type ConnectOptions, type Dial } from "../../mod.ts";
import { dial } from "../../pubsub/mod.ts";
import { sleep, startServer, until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

/** Each takes a millisecond or so. */
const TURNS = 20;

/** No deadline ends what is tested here. */
const LONG: ConnectOptions = {
  timeout: 3_600_000,
  heartbeat: { interval: 3_600_000, timeout: 3_600_000 },
};

/** Sees that something is over within a few turns. */
async function endsAtOnce(what: string, work: Promise<unknown>): Promise<void> {
  let over = false;
  work.then(() => over = true, () => over = true);
  for (let turn = 0; turn < TURNS && !over; turn++) await sleep(0);
  assertEquals(over, true, `${what} is over at once`);
}

const REASON = new Error("enough");
const LOADING = "-LOADING Redis is loading the dataset in memory\r\n";

/** Whom a connect hangs on, and how. */
const HANGING: [
  what: string,
  answer: ConstructorParameters<typeof FakeServer>[0],
  options?: ConnectOptions,
][] = [
  ["a dial that takes no notice", () => undefined, { dial: () => new Promise(() => {}) }],
  ["a server that says nothing", () => null],
  ["a server that loads its data", ([name]) => name === "HELLO" ? LOADING : undefined],
  ["credentials that never come", () => undefined, { credentials: () => new Promise(() => {}) }],
  ["AUTH that is not answered", ([name]) => name === "AUTH" ? null : undefined, {
    protocol: 2,
    password: "pw",
  }],
];

for (const [what, answer, options] of HANGING) {
  Deno.test(`a signal ends a connect at once that hangs on ${what}`, async () => {
    await using server = new FakeServer(answer);
    const stop = new AbortController();
    let asked = false;
    const { dial: given, credentials } = options ?? {};
    const connecting = connect(server.url, {
      ...LONG,
      ...options,
      ...(given ? { dial: (...args: Parameters<Dial>) => (asked = true, given(...args)) } : {}),
      ...(typeof credentials === "function"
        ? { credentials: () => (asked = true, credentials()) }
        : {}),
      signal: stop.signal,
    });
    const rejected = assertRejects(() => connecting, Error, REASON.message);
    await until("it hangs", () => asked || server.commands.length > 0);
    stop.abort(REASON);
    await endsAtOnce("connect", rejected);
    await rejected;
    await until("the server is left", () => server.connections === 0);
  });
}

/** How an object is ended. */
const WAYS: [
  way: string,
  end: (stage: {
    notifications: Awaited<ReturnType<typeof connect>>;
    stop: AbortController;
  }) => Promise<unknown>,
][] = [
  ["close()", ({ notifications }) => notifications.close()],
  ["close(), twice", async ({ notifications }) => {
    await Promise.all([notifications.close(), notifications.close()]);
    await notifications.close();
  }],
  ["its signal", async ({ stop }) => await stop.abort(REASON)],
  ["await using", async ({ notifications }) => {
    await using _ = notifications;
    await null;
  }],
];

/** What a server does not answer, by the command; with the work that hangs on it. */
const UNANSWERED: [
  what: string,
  command: string,
  hang: (notifications: Awaited<ReturnType<typeof connect>>) => Promise<unknown>,
][] = [
  ["it asks for the flags", "CONFIG", (one) => one.subscribeKeyspace("k")],
  ["it asks for the database", "SELECT", (one) => one.subscribeKeyspace("k", { db: 1 })],
  ["it subscribes", "SUBSCRIBE", (one) => one.subscribeKeyspace("k")],
  ["it unsubscribes", "UNSUBSCRIBE", async (one) => {
    const subscription = await one.subscribeKeyspace("k");
    await subscription.unsubscribe();
  }],
];

for (const [way, end] of WAYS) {
  for (const [what, command, hang] of UNANSWERED) {
    Deno.test(`${way} ends it at once while ${what}`, async () => {
      let hangs = false;
      // Nothing that follows is answered either: its answer would be taken for the one that lacks.
      await using server = new FakeServer(([name]) => {
        hangs ||= name === command;
        return hangs ? null : undefined;
      });
      const stop = new AbortController();
      const notifications = await connect(server.url, { ...LONG, signal: stop.signal });
      const hanging = hang(notifications);
      hanging.catch(() => {});
      await until("it hangs", () => server.heard(command));
      await endsAtOnce("closing", end({ notifications, stop }));
      await endsAtOnce("the work", hanging);
      // To unsubscribe is not a failure where nothing is left to unsubscribe.
      if (command !== "UNSUBSCRIBE") await assertRejects(() => hanging, ClosedError);
      await until("the server is left", () => server.connections === 0);
    });
  }

  Deno.test(`${way} ends every loop and every wait at once`, async () => {
    await using server = new FakeServer(() => undefined);
    const stop = new AbortController();
    const notifications = await connect(server.url, { ...LONG, signal: stop.signal });
    await notifications.subscribeKeyspace("k");
    const loop = notifications.listen({ gaps: true }).next();
    const plain = notifications[Symbol.asyncIterator]().next();
    const message = notifications.getMessage({ timeout: 3_600_000 });
    const rejected = assertRejects(() => message, ClosedError);
    await endsAtOnce("closing", end({ notifications, stop }));
    await endsAtOnce("the rest", Promise.all([loop, plain, rejected]));
    assertEquals([(await loop).done, (await plain).done], [true, true]);
    await until("the server is left", () => server.connections === 0);
  });

  for (const where of ["dials", "introduces itself", "waits", "is degraded"] as const) {
    Deno.test(`${way} ends it at once while it reconnects and ${where}`, async () => {
      let down = false;
      let dials = 0;
      await using server = new FakeServer(([name]) => {
        if (!down) return undefined;
        if (where === "introduces itself" && name === "HELLO") return null;
        if (where === "is degraded" && name === "CONFIG") {
          return "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n";
        }
        return undefined;
      });
      const stop = new AbortController();
      const notifications = await connect(server.url, {
        ...LONG,
        signal: stop.signal,
        onError() {},
        dial: (...args) => {
          dials++;
          if (down && where === "dials") return new Promise(() => {});
          if (down && where === "waits") return Promise.reject(new Error("no way"));
          return dial(...args);
        },
      });
      await notifications.subscribeKeyspace("k");
      const loop = notifications.listen().next();
      down = true;
      server.hangUp();
      await until(
        "it reconnects",
        () =>
          where === "is degraded"
            ? notifications.status().nodes[0]!.state === "degraded"
            // The later, the longer it waits between two attempts.
            : where === "waits"
            ? dials > 4
            : where === "introduces itself"
            ? server.commands.filter((text) => text.startsWith("HELLO")).length === 2
            : dials > 1,
      );
      const subscribing = where === "is degraded" ? Promise.resolve() : assertRejects(
        () => notifications.subscribeKeyspace("other"),
        ClosedError,
      );
      await endsAtOnce("closing", end({ notifications, stop }));
      await endsAtOnce("the rest", Promise.all([loop, subscribing]));
      assertEquals((await loop).done, true);
      assertEquals(notifications.status().state, "closed");
      await until("the server is left", () => server.connections === 0);
    });
  }
}

Deno.test("a signal ends getMessage at once, and a loop", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, LONG);
  await notifications.subscribeKeyspace("k");
  const stop = new AbortController();
  const { signal } = stop;
  const message = notifications.getMessage({ timeout: 3_600_000, signal });
  const loop = notifications.listen({ signal }).next();
  stop.abort(REASON);
  await endsAtOnce("getMessage", message);
  await endsAtOnce("the loop", loop);
  assertEquals([await message, (await loop).done], [null, true]);
});

for (const told of ["onStatus", "onGap"] as const) {
  Deno.test(`close() by ${told}, when it is back, ends what waited for that`, async () => {
    await using server = new FakeServer(() => undefined);
    let isBack = false;
    let waiting: Promise<unknown> | null = null;
    const close = () => void (isBack && notifications.close());
    const notifications = await connect(server.url, {
      ...LONG,
      onStatus: ({ nodes: [node] }) => {
        if (node!.state === "reconnecting") {
          waiting ??= assertRejects(() => notifications.subscribeKeyspace("other"), ClosedError);
        }
        isBack = waiting !== null && node!.state === "ready";
        if (told === "onStatus") close();
      },
      onGap: () => told === "onGap" && close(),
    });
    await notifications.subscribeKeyspace("k");
    server.hangUp();
    await until("it is closed", () => notifications.status().state === "closed");
    await waiting;
    await until("the server is left", () => server.connections === 0);
  });
}

Deno.test("stops delivering held messages when a handler calls close()", async () => {
  let connections = 0;
  await using server = new FakeServer(([name, channel]) => {
    if (name === "HELLO") connections++;
    if (name !== "SUBSCRIBE" || connections === 1) return undefined;
    const confirmed = `>3\r\n$9\r\nsubscribe\r\n$16\r\n${channel}\r\n:1\r\n`;
    return confirmed + `>3\r\n$7\r\nmessage\r\n$16\r\n${channel}\r\n$3\r\nset\r\n`.repeat(3);
  });
  const notifications = await connect(server.url, LONG);
  let handled = 0;
  await notifications.subscribeKeyspace("k", {
    handler: () => {
      handled++;
      notifications.close();
    },
  });
  server.hangUp();
  await until("it is closed", () => notifications.status().state === "closed");
  assertEquals([handled, notifications.status().nodes[0]!.messages], [1, 1]);
  await until("the server is left", () => server.connections === 0);
});

Deno.test("a signal that onStatus aborts, when it is connected, ends connect", async () => {
  await using server = new FakeServer(() => undefined);
  const stop = new AbortController();
  const connecting = connect(server.url, {
    ...LONG,
    signal: stop.signal,
    onStatus: () => stop.abort(REASON),
  });
  await assertRejects(() => connecting, Error, REASON.message);
  await until("the server is left", () => server.connections === 0);
});

Deno.test("break, return, throw and a signal each end a loop at once, and free what it held", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  await using notifications = await connect(server.url, LONG);
  await notifications.subscribeKeyspace("k");
  // Another reader, so that a loop that is left has nobody to leave its notifications to.
  const other = notifications.listen();
  const stop = new AbortController();
  const leave: Record<string, () => Promise<unknown>> = {
    break: async () => {
      for await (const _ of notifications) break;
    },
    throw: async () => {
      for await (const _ of notifications) throw REASON;
    },
    return: async () => {
      const loop = notifications.listen();
      await loop.next();
      await loop.return();
    },
    signal: async () => {
      for await (const _ of notifications.listen({ signal: stop.signal })) stop.abort();
    },
  };
  for (const [way, work] of Object.entries(leave)) {
    const reading = work();
    reading.catch(() => {});
    const { messages } = notifications.status().nodes[0]!;
    for (let n = 0; n < 3; n++) await server.command("SET", "k", "x");
    await until("all came", () => notifications.status().nodes[0]!.messages === messages + 3);
    await endsAtOnce(way, reading);
    assertEquals(notifications.status().queued, 3, `${way}: what waits is the other reader's`);
    for (let n = 0; n < 3; n++) await other.next();
  }
  await other.return();
});

Deno.test("a hold that goes out of scope unsubscribes, and leaving it twice is not a matter", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, LONG);
  {
    await using subscription = await notifications.subscribeKeyspace("k");
    assertEquals(subscription.channels.map(String), ["__keyspace@0__:k"]);
  }
  const unsubscribed = () => server.commands.filter((text) => text.startsWith("UNSUBSCRIBE"));
  assertEquals(unsubscribed(), ["UNSUBSCRIBE __keyspace@0__:k"]);
  const subscription = await notifications.subscribeKeyspace("k");
  await subscription.unsubscribe();
  await subscription.unsubscribe();
  assertEquals(unsubscribed().length, 2);
  assertEquals(notifications.subscribed, false);
});
