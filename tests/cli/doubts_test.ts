/** What the CLI accepts, but warns that it may not be what was meant. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { doubtsOf } from "../../cli/doubts.ts";
import { startServer } from "../servers/mod.ts";
import { InProcess } from "./in_process.ts";

Deno.test("events that nobody knows, and events where keys belong, are doubted", () => {
  const unknown = "is not known: only a module or a newer server may send it";
  const cases: [patterns: string[], events: string[], doubts: string[]][] = [
    [["user:*", "expired*"], ["expired", "h*"], []],
    [[], ["expird"], [`expird ${unknown}; did you mean expired?`]],
    [[], ["hdell", "del"], [`hdell ${unknown}; did you mean hdel?`]],
    [[], ["bloom.add"], [`bloom.add ${unknown}`]],
    [["expired", "user:*"], [], [
      "expired is the key of that name; the event is asked for by --event expired",
    ]],
    // Who names an event knows how.
    [["new", "set"], ["del"], []],
  ];
  for (const [patterns, events, doubts] of cases) {
    assertEquals(doubtsOf({ patterns, events }), doubts);
  }
});

Deno.test("watch, top and doctor tell their doubts, and go on", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  const args = ["--event", "expird", "--url", server.url];
  await using watch = InProcess.run(["watch", "--for", "50ms", ...args]);
  await using top = InProcess.run(["top", "--for", "50ms", ...args]);
  for (const tool of [watch, top]) {
    const { code, stderr } = await tool.ended();
    assertEquals(code, 0);
    assertStringIncludes(stderr, "did you mean expired?\n");
  }
  await using doctor = InProcess.run(["doctor", ...args]);
  const text = await doctor.rest();
  assertStringIncludes(text, "! event       expird is not known");
  assertStringIncludes(text, "1 thing is worth a look");
  assertEquals(await doctor.exited(), 0);
});

Deno.test("flags for prints its doubts", async () => {
  const cases: [doubt: string, ...args: string[]][] = [
    ["expird is taken for a key; did you mean the event expired?\n", "expird"],
    [
      "only a module or a newer server may send it; did you mean set?\n",
      "user:*",
      "--event",
      "sett",
    ],
    ["", "user:*", "user:1", "expired", "s*t"],
  ];
  for (const [doubt, ...args] of cases) {
    await using tool = InProcess.run(["flags", "for", ...args]);
    const { code, stderr } = await tool.ended();
    assertEquals(code, 0);
    if (doubt === "") assertEquals(stderr, "");
    else assertStringIncludes(stderr, doubt);
  }
});
