import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectTurns } from "../../pubsub/connect_turns.ts";
import type { Address } from "../../pubsub/mod.ts";

const at = (port: number, hostname = "10.0.0.1"): Address => ({ hostname, port });

/** Attempts that last until the test ends them, each with the name that it was given. */
function stage(most: number) {
  const turns = new ConnectTurns(most);
  const running = new Map<string, PromiseWithResolvers<void>>();
  const begin = (name: string, address: Address, signal = new AbortController().signal) => {
    const done = turns.run(address, signal, async () => {
      const end = Promise.withResolvers<void>();
      running.set(name, end);
      await end.promise.finally(() => running.delete(name));
      return name;
    });
    done.catch(() => {});
    return done;
  };
  const names = async () => {
    // Turns pass from one to the next without any timer.
    for (let n = 0; n < 20; n++) await Promise.resolve();
    return [...running.keys()].join(" ");
  };
  return { turns, begin, names, end: (name: string) => running.get(name)!.resolve(), running };
}

Deno.test("at most the allowed number of attempts are under way, in the order of the requests", async () => {
  const { begin, names, end } = stage(2);
  const all = ["a", "b", "c", "d", "e"].map((name, port) => begin(name, at(port)));
  assertEquals(await names(), "a b");
  end("b");
  assertEquals(await names(), "a c");
  end("a");
  end("c");
  assertEquals(await names(), "d e");
  end("d");
  end("e");
  assertEquals(await Promise.all(all), ["a", "b", "c", "d", "e"]);
});

Deno.test("to one address there is one attempt at a time, and others do not wait for it", async () => {
  const { begin, names, end } = stage(2);
  for (const name of ["a", "b", "c"]) begin(name, at(1, name === "b" ? "HOST" : "host"));
  begin("d", at(2, "host"));
  begin("e", at(3, "host"));
  assertEquals(await names(), "a d");
  end("a");
  // Its turn at the address comes, and then it waits behind the one that came before.
  assertEquals(await names(), "d e");
  end("d");
  assertEquals(await names(), "e b");
  end("b");
  assertEquals(await names(), "e c");
});

Deno.test("an attempt that fails passes its turn on", async () => {
  const { turns, begin, names } = stage(1);
  const failed = turns.run(at(1), new AbortController().signal, () => {
    return Promise.reject(new Error("refused"));
  });
  begin("a", at(1));
  await assertRejects(() => failed, Error, "refused");
  assertEquals(await names(), "a");
});

Deno.test("a waiter that gives up takes no turn, at an address or in total", async () => {
  for (const ports of [[1, 1, 1], [1, 2, 3]] as const) {
    const { turns, begin, names, end } = stage(1);
    begin("a", at(ports[0]));
    const stop = new AbortController();
    const waiting = begin("b", at(ports[1]), stop.signal);
    begin("c", at(ports[2]));
    stop.abort(new Error("closed"));
    await assertRejects(() => waiting, Error, "closed");
    await assertRejects(() => begin("d", at(4), stop.signal), Error, "closed");
    assertEquals(await names(), "a");
    end("a");
    assertEquals(await names(), "c");
    end("c");
    assertEquals(await turns.run(at(1), new AbortController().signal, () => Promise.resolve(7)), 7);
  }
});

Deno.test("a signal that is aborted as its turn comes leaves no turn behind", async () => {
  const { turns, begin, names, end } = stage(1);
  begin("a", at(1));
  const stop = new AbortController();
  const waiting = turns.run(at(2), stop.signal, () => {
    stop.signal.throwIfAborted();
    return Promise.resolve();
  });
  await names();
  end("a");
  stop.abort(new Error("closed"));
  await assertRejects(() => waiting, Error, "closed");
  begin("b", at(2));
  assertEquals(await names(), "b");
});

Deno.test("many that wait for one address leave nothing behind", async () => {
  const { turns } = stage(5);
  let running = 0;
  let most = 0;
  const signal = new AbortController().signal;
  const attempts = Array.from({ length: 1_000 }, () =>
    turns.run(at(1), signal, async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    }));
  await Promise.all(attempts);
  assertEquals([most, running], [1, 0]);
  assert(!Deno.inspect(turns, { depth: 5 }).includes("10.0.0.1"));
});
