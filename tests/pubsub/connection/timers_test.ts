import { assertEquals, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import { delay } from "../../../pubsub/connection/timers.ts";

Deno.test("a wait leaves nothing on its signal, whether it ends or is ended", async () => {
  const stop = new AbortController();
  await delay(1, stop.signal);
  assertEquals(getEventListeners(stop.signal, "abort").length, 0);
  const wait = delay(600_000, stop.signal);
  assertEquals(getEventListeners(stop.signal, "abort").length, 1);
  stop.abort(new Error("enough"));
  await assertRejects(() => wait, Error, "enough");
  assertEquals(getEventListeners(stop.signal, "abort").length, 0);
});
