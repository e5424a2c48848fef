import { assertEquals, assertStringIncludes } from "@std/assert";
import { EventType } from "../../events/mod.ts";
import { eventsOf, LETTERS } from "../../cli/flags/letters.ts";
import { startServer } from "../servers/mod.ts";
import { fails, InProcess } from "./in_process.ts";
import { Tool } from "./tool.ts";

/** What it prints. */
async function flags(...args: string[]): Promise<string[]> {
  await using tool = InProcess.run(["flags", ...args]);
  const lines: string[] = [];
  for (let line; (line = await tool.line()) !== null;) lines.push(line);
  assertEquals(await tool.ended(), { code: 0, stderr: "" });
  return lines;
}

Deno.test("flags lists every letter, and under its class every event", async () => {
  const lines = await flags();
  const letters = lines.flatMap((line) => /^ {2}(\S) {2}\S/.exec(line)?.[1] ?? []);
  assertEquals(letters.join(""), "KESTIVg$lshztdaxemnocrA");
  const words = lines.filter((line) => line.startsWith("     ")).join(" ").trim().split(/\s+/);
  assertEquals(words.toSorted(), Object.values(EventType).toSorted());
  assertEquals(lines.filter((line) => line.length > 80), []);
});

Deno.test("the letters are those of the catalogue", () => {
  assertEquals(new Set(LETTERS.map(({ letter }) => letter)).size, LETTERS.length);
  assertEquals(eventsOf("x"), ["expired"]);
  const listed = LETTERS.flatMap(({ letter }) => eventsOf(letter));
  assertEquals(listed.toSorted(), Object.values(EventType).toSorted());
});

Deno.test("flags explain says what a value lets through", async () => {
  const text = (await flags("explain", "KEAm")).join("\n");
  for (const words of ["__keyspace@<db>__:<key>", "by A", "  h  hashes", "  m  reads of keys"]) {
    assertStringIncludes(text, words);
  }
  assertEquals(text.includes("__subkey"), false);
  assertEquals(text.includes("  n  "), false);
  assertStringIncludes((await flags("explain", "gA")).join("\n"), "there is no channel");
  assertStringIncludes((await flags("explain", "KE")).join("\n"), "there is no class of events");
  assertStringIncludes((await flags("explain", "")).join("\n"), "turns notifications off");
  assertStringIncludes((await flags("explain", "Kg$lshztdxe")).join("\n"), "shorter: AK");
});

Deno.test("flags for says the least that is needed, of all and of each", async () => {
  const cases: [needed: string, ...args: string[]][] = [
    ["xE", "expired"],
    ["AK", "user:*"],
    ["AKE", "user:*", "expired"],
    ["gxK", "user:*", "--event", "del", "--event", "expired"],
    ["gxE", "--event", "del", "--event", "expired"],
    ["hI", "cart:*", "--field", "total"],
    ["hV", "--field", "*", "--event", "hset"],
    ["gE", "__keyevent@0__:del"],
    ["Em", "keymiss"],
  ];
  for (const [needed, ...args] of cases) {
    const lines = await flags("for", ...args);
    assertEquals(lines[0], needed);
    assertStringIncludes(lines.join("\n"), `CONFIG SET notify-keyspace-events '${needed}'`);
  }
  const restricted = (await flags("for", "cart:*", "--field", "total")).join(" ");
  assertStringIncludes(restricted, "I takes Redis 8.8; Valkey has no I.");
  assertStringIncludes((await flags("for", "new")).join(" "), "n takes Redis 7.0.");
  assertEquals((await flags("for", "user:*")).join(" ").includes("takes"), false);
  const lines = await flags("for", "user:*", "expired");
  assertEquals(lines.slice(1, 3), [
    "  AK   __keyspace@*__:user:*",
    "  xE   __keyevent@*__:expired",
  ]);
});

Deno.test("what flags for says is enough, and taken by a server", async () => {
  await using server = await startServer();
  for (const args of [["user:*"], ["--event", "del"], ["user:*", "--event", "del"]]) {
    const [needed] = await flags("for", ...args);
    await server.command("CONFIG", "SET", "notify-keyspace-events", needed!);
    await using tool = InProcess.run(["watch", ...args, "--count", "1", "--url", server.url]);
    await tool.noted("watching");
    await server.command("SET", "user:1", "x");
    await server.command("DEL", "user:1");
    assertStringIncludes((await tool.line())!, "user:1");
    assertEquals(tool.notes.includes("lacks"), false, tool.notes);
  }
});

Deno.test("flags ends well when nobody reads it", async () => {
  await using tool = Tool.run(["flags"]);
  await tool.stopReading();
  assertEquals(await tool.exited(), 0);
  assertEquals(tool.notes, "");
});

Deno.test("flags: arguments that make no sense", async () => {
  const cases: [words: string, ...args: string[]][] = [
    ['flags takes letters, explain or for, not "expalin"', "expalin", "KEA"],
    ["flags explain takes one value", "explain"],
    ["flags explain takes one value", "explain", "K", "E"],
    ['no server knows "q"', "explain", "KEq"],
    ['no server knows "\\x1b"', "explain", "\x1b"],
    ["flags for takes patterns", "for"],
    ["incr is sent by no server: what comes instead is incrby", "for", "incr"],
    ["a pattern is empty", "for", ""],
    ["--event and --field go with flags for", "explain", "KEA", "--event", "del"],
    ["there is no option --url", "--url", "redis://127.0.0.1"],
  ];
  for (const [words, ...args] of cases) await fails(2, words, "flags", ...args);
});

Deno.test("flags explains letters without a verb", async () => {
  await using short = InProcess.run(["flags", "KEA"]);
  await using long = InProcess.run(["flags", "explain", "KEA"]);
  const text = await short.rest();
  assertStringIncludes(text, "Channels, and what they carry\n  K  ");
  assertEquals(text, await long.rest());
});
