import { assertEquals } from "@std/assert";
import { Printer } from "../../cli/printer.ts";
import { sleep } from "../servers/wait.ts";

/** A stream whose reader takes a text only on request. */
function slowStream() {
  const taken: string[] = [];
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  const printer = new Printer((text) => {
    taken.push(text);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  });
  return { printer, taken, next: () => waiting.shift()! };
}

const never = new AbortController().signal;

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.finally(() => over = true);
  await sleep(0);
  return over;
}

Deno.test("what is printed while the reader is slow goes out in order and at once", async () => {
  const { printer, taken, next } = slowStream();
  for (const text of ["a", "b", "c"]) printer.print(text);
  const flushed = printer.flush(never, 0);
  assertEquals(taken, ["a"]);
  next().resolve();
  assertEquals(await settled(flushed), false);
  assertEquals(taken, ["a", "bc"]);
  next().resolve();
  assertEquals(await settled(flushed), true);
  printer.print("d");
  assertEquals(taken, ["a", "bc", "d"]);
  next().resolve();
  await printer.flush(never, 0);
});

Deno.test("a printer is full while much waits", async () => {
  const { printer, next } = slowStream();
  printer.print("x".repeat(100_000));
  assertEquals(printer.isFull, false, "all of it is being written");
  printer.print("x".repeat(60_000));
  assertEquals(printer.isFull, false);
  printer.print("x".repeat(10_000));
  assertEquals(printer.isFull, true);
  next().resolve();
  await settled(Promise.resolve());
  assertEquals(printer.isFull, false);
  next().resolve();
  await printer.flush(never, 0);
});

Deno.test("a flush waits no longer than the grace once it is to be given up", async () => {
  const { printer, next } = slowStream();
  printer.print("a");
  const stop = new AbortController();
  const flushed = printer.flush(stop.signal, 0);
  assertEquals(await settled(flushed), false);
  stop.abort();
  await flushed;
  const patient = printer.flush(stop.signal, 2 ** 30);
  assertEquals(await settled(patient), false);
  next().resolve();
  await patient;
});

Deno.test("a stream that breaks is reported, and takes nothing any more", async () => {
  const { printer, taken, next } = slowStream();
  printer.print("a");
  printer.print("b");
  const flushed = printer.flush(never, 0);
  const reason = new Error("no space");
  next().reject(reason);
  await flushed;
  assertEquals([printer.broken.aborted, printer.broken.reason], [true, reason]);
  printer.print("c");
  await printer.flush(never, 0);
  assertEquals(taken, ["a"]);
});
