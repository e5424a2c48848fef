import { assertEquals, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import { raceStaggered } from "../../pubsub/connect_turns.ts";
import { within } from "../servers/mod.ts";

/** What never answers, and records why it was given up. */
function silent(reasons: unknown[]): (signal: AbortSignal) => Promise<never> {
  return (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason);
        reject(signal.reason);
      });
    });
}

Deno.test("the next is asked while the one before says nothing, which is given up then", async () => {
  const reasons: unknown[] = [];
  const questions = [silent(reasons), () => Promise.resolve("second")];
  const { signal } = new AbortController();
  assertEquals(await within(raceStaggered(questions, 1, signal), 10_000, "the first"), "second");
  assertEquals(reasons.length, 1);
});

Deno.test("the next is asked at once when the one before fails", async () => {
  const failing = () => Promise.reject(new Error("no"));
  const questions = [failing, failing, () => Promise.resolve("third")];
  const { signal } = new AbortController();
  assertEquals(
    await within(raceStaggered(questions, 60_000, signal), 10_000, "the first"),
    "third",
  );
  const error = await assertRejects(
    () => raceStaggered([failing, failing], 1, signal),
    AggregateError,
  );
  assertEquals(error.errors.map(String), ["Error: no", "Error: no"]);
});

Deno.test("all are given up when the signal is aborted", async () => {
  const reasons: unknown[] = [];
  const stop = new AbortController();
  const work = raceStaggered([silent(reasons), silent(reasons)], 60_000, stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  await assertRejects(() => within(work, 10_000, "the abort"), Error, "enough");
  assertEquals(reasons, [reason]);
});

Deno.test("nothing is left on the signal once one has answered or all have failed", async () => {
  const { signal } = new AbortController();
  await raceStaggered([() => Promise.resolve("first")], 1, signal);
  await assertRejects(() => raceStaggered([() => Promise.reject(new Error("no"))], 1, signal));
  assertEquals(getEventListeners(signal, "abort").length, 0);
});
