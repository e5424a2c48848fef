import { assertEquals, assertRejects } from "@std/assert";
import type { Connection } from "../../pubsub/connection/connection.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import { SubscriptionRegistry } from "../../pubsub/subscription_registry.ts";
import { Subscriptions } from "../../pubsub/subscriptions.ts";
import { ServerError } from "../../resp/mod.ts";

/** A connection whose server answers at once, and refuses the channels that begin with `no`. */
class FastConnection {
  readonly asked: string[] = [];
  refuses: (name: string) => boolean = (name) => name.startsWith("no");
  readonly batches: number[] = [];
  readonly #subscriptions: () => Subscriptions;

  constructor(subscriptions: () => Subscriptions) {
    this.#subscriptions = subscriptions;
  }

  subscribe(channels: readonly ServerChannel[]): Promise<void> {
    return this.#answer("+", channels, true);
  }

  unsubscribe(channels: readonly ServerChannel[]): Promise<void> {
    return this.#answer("-", channels, false);
  }

  #answer(sign: string, channels: readonly ServerChannel[], subscribed: boolean): Promise<void> {
    this.batches.push(channels.length);
    const names = channels.map(({ bytes }) => new TextDecoder().decode(bytes));
    this.asked.push(...names.map((name) => sign + name));
    if (names.some(this.refuses)) {
      return Promise.reject(new ServerError("NOPERM no"));
    }
    for (const channel of channels) this.#subscriptions().confirm(channel, subscribed);
    return Promise.resolve();
  }
}

function scene() {
  const registry = new SubscriptionRegistry<string>();
  const fast = new FastConnection(() => subscriptions);
  const subscriptions: Subscriptions = new Subscriptions(fast as unknown as Connection, registry);
  const want = (name: string, user = "ana") => registry.add(channel(name), user);
  return { registry, subscriptions, fast, want };
}

function channel(name: string): ServerChannel {
  return { bytes: new TextEncoder().encode(name), isPattern: false };
}

async function microtasks(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await null;
}

for (let wait = 0; wait < 12; wait++) {
  Deno.test(`what is asked for ${wait} turns into a run is asked of the server`, async () => {
    const { registry, subscriptions, fast, want } = scene();
    want("a");
    const first = subscriptions.reconcile();
    await microtasks(wait);
    want("b");
    registry.remove(channel("a"), "ana");
    await subscriptions.reconcile();
    await first;
    assertEquals(fast.asked.at(-2)! + fast.asked.at(-1)!, "+b-a");
    assertEquals(subscriptions.agrees, true);
  });

  Deno.test(`each caller that asks for a refused channel, ${wait} turns apart, learns that it is refused`, async () => {
    const { subscriptions, want } = scene();
    const channels = [want("no", "ana"), want("yes", "ana")];
    const settling: Promise<{ channel: { id: string } }[]>[] = [];
    for (let n = 0; n < 4; n++) {
      settling.push(subscriptions.settle(channels));
      await microtasks(wait);
    }
    for (const refused of await Promise.all(settling)) {
      assertEquals(refused.map(({ channel: { id } }) => id), ["sno"]);
    }
  });
}

Deno.test("channels are asked for in commands that are neither many nor large", async () => {
  const { subscriptions, fast, want } = scene();
  for (let n = 0; n < 1_000; n++) want(`${n}`);
  await subscriptions.reconcile();
  assertEquals(fast.batches, [256, 256, 256, 232]);
  const large = "x".repeat(30_000);
  for (let n = 0; n < 5; n++) want(`${n}${large}`);
  await subscriptions.reconcile();
  assertEquals(fast.batches.slice(4), [2, 2, 1]);
  want("y".repeat(100_000));
  await subscriptions.reconcile();
  assertEquals(fast.batches.slice(7), [1]);
});

Deno.test("a refused channel is not asked for again until somebody wants it again", async () => {
  const { registry, subscriptions, fast, want } = scene();
  const channels = [want("no")];
  await subscriptions.settle(channels);
  await subscriptions.reconcile();
  assertEquals(fast.asked, ["+no"]);
  assertEquals(subscriptions.agrees, true);
  await subscriptions.settle(channels);
  assertEquals(fast.asked, ["+no", "+no"]);
  registry.remove(channel("no"), "ana");
  await subscriptions.reconcile();
  assertEquals(fast.asked.length, 2);
});

Deno.test("of thousands that are refused a few are asked for at a time, and all once some are granted", async () => {
  const { registry, subscriptions, fast, want } = scene();
  const COUNT = 2_000;
  for (let n = 0; n < COUNT; n++) registry.promise(want(`no ${n}`).id);
  want("no, and not promised");
  await subscriptions.reconcile();
  const tell = async () => {
    fast.asked.length = 0;
    const error = await subscriptions.retry();
    return { error, asked: new Set(fast.asked) };
  };
  assertEquals(subscriptions.withdrawn()?.refused.length, COUNT);
  const first = await tell();
  const second = await tell();
  assertEquals([first.asked.size, second.asked.size], [256, 256]);
  assertEquals(first.asked.intersection(second.asked).size, 0);
  assertEquals(first.error?.message, second.error?.message);
  fast.refuses = (name) => name.endsWith("not promised");
  const { error, asked } = await tell();
  assertEquals([error, asked.size], [null, COUNT]);
});

Deno.test("only what has changed is compared, and what a busy server was not asked for is asked again", async () => {
  const { registry, subscriptions, fast, want } = scene();
  for (const name of ["a", "b", "c"]) want(name);
  await subscriptions.reconcile();
  let looked = 0;
  const { get } = registry;
  registry.get = (id) => (looked++, get.call(registry, id));
  want("d");
  registry.remove(channel("a"), "ana");
  assertEquals([subscriptions.isOutdated, subscriptions.agrees], [true, false]);
  const { subscribe } = fast;
  fast.subscribe = () => Promise.reject(new Error("busy"));
  await assertRejects(() => subscriptions.reconcile(), Error, "busy");
  fast.subscribe = subscribe;
  await subscriptions.reconcile();
  assertEquals(fast.asked, ["+a", "+b", "+c", "+d", "-a"]);
  assertEquals([looked, subscriptions.isOutdated, subscriptions.agrees], [4, false, true]);
});

Deno.test("what the server refused on an earlier connection is asked for by the next one that needs it", async () => {
  const { registry, fast, want } = scene();
  const refused = new Map<string, Error>();
  const connect = () => new Subscriptions(fast as unknown as Connection, registry, refused);
  const channels = [want("no")];
  await connect().settle(channels);
  await connect().reconcile();
  assertEquals(fast.asked, ["+no"]);
  await connect().settle(channels);
  assertEquals(fast.asked, ["+no", "+no"]);
  registry.remove(channel("no"), "ana");
  connect();
  assertEquals(refused.size, 0);
});
