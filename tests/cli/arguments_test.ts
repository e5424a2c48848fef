/** What the CLI says of options and names that were mistyped. */
import { assertEquals, assertThrows } from "@std/assert";
import { Arguments, type Options, UsageError } from "../../cli/command.ts";
import { nearest } from "../../pubsub/connection/nearest.ts";
import { readDuration } from "../../cli/numbers.ts";
import { readConfig } from "../../dev/project.ts";
import { fails, InProcess } from "./in_process.ts";

const OPTIONS: Options = {
  event: { type: "string", multiple: true, help: "" },
  db: { type: "string", help: "" },
  json: { type: "boolean", help: "" },
};

Deno.test("options are taken apart, wherever they stand", () => {
  const args = ["a", "--event", "set", "--db=-1", "--event=del", "--json", "--", "-b", "--db"];
  const parsed = Arguments.parse(args, OPTIONS);
  assertEquals(parsed.texts("event"), ["set", "del"]);
  assertEquals(parsed.text("db"), "-1");
  assertEquals([parsed.has("json"), parsed.has("help")], [true, false]);
  assertEquals(parsed.positionals, ["a", "-b", "--db"]);
  assertEquals(Arguments.parse(["-h"], OPTIONS).has("help"), true);
  assertEquals(Arguments.parse(["--event", ""], OPTIONS).texts("event"), [""]);
  assertEquals(Arguments.parse(["--db", "-", "-"], OPTIONS).positionals, ["-"]);
});

Deno.test("options that make no sense are named, in one line", () => {
  const cases: [message: string, ...args: string[]][] = [
    ["there is no option --frobnicate", "--frobnicate"],
    ["there is no option --frobnicate", "--frobnicate=1"],
    ["there is no option --no-json", "--no-json"],
    ["there is no option --evnet; did you mean --event?", "--evnet", "set"],
    ["there is no option --Event; did you mean --event?", "--Event", "set"],
    ["there is no option --__proto__", "--__proto__", "x"],
    ["there is no option -x; what begins with - and is none goes after --", "-x:*"],
    ["--db lacks its value", "--db"],
    ["--db lacks its value", "--json", "--db"],
    ["--db lacks its value; one that begins with - is written --db=-…", "--db", "--json"],
    ["--db lacks its value; one that begins with - is written --db=-…", "--db", "-1"],
    ["--json takes no value", "--json=yes"],
    ["--json takes no value", "--json="],
  ];
  for (const [message, ...args] of cases) {
    const error = assertThrows(() => Arguments.parse(args, OPTIONS), UsageError);
    assertEquals(error.message, message);
  }
});

Deno.test("a misspelt name is near one that differs little, and far from others", () => {
  const names = ["watch", "top", "doctor", "flags"];
  const cases: [word: string, name: string | undefined][] = [
    ["wach", "watch"],
    ["wtach", "watch"],
    ["WATCH", "watch"],
    ["docter", "doctor"],
    ["flag", "flags"],
    ["tpo", "top"],
    ["toast", undefined],
    ["list", undefined],
    ["", undefined],
    ["x".repeat(10_000), undefined],
  ];
  for (const [word, name] of cases) assertEquals(nearest(word, names), name, word);
  assertEquals(nearest("watch", []), undefined);
  for (const both of [["expire", "expired"], ["expired", "expire"]]) {
    assertEquals(nearest("expird", both), "expired");
  }
});

Deno.test("a misspelt command is set right", async () => {
  await fails(2, 'there is no command "docter"; did you mean doctor?\n', "docter");
  await fails(2, 'there is no command "frobnicate"\n', "frobnicate");
  await fails(2, 'there is no command "docter"; did you mean doctor?\n', "help", "docter");
});

async function prints(...args: string[]): Promise<string> {
  await using tool = InProcess.run(args);
  const text = await tool.rest();
  assertEquals(await tool.ended(), { code: 0, stderr: "" });
  return text;
}

Deno.test("--version is that of the packages", async () => {
  assertEquals(await prints("--version"), `keywatch ${(await readConfig()).version}\n`);
});

Deno.test("help is --help", async () => {
  assertEquals(await prints("help"), await prints("--help"));
  assertEquals(await prints("help", "top"), await prints("top", "--help"));
});

Deno.test("a duration is as long as a timer can wait at most", () => {
  const read = (text: string) =>
    readDuration(Arguments.parse(["--for", text], { for: { type: "string", help: "" } }), "for");
  assertEquals([read("500ms"), read("1.5h"), read("2147483647ms")], [500, 5_400_000, 2 ** 31 - 1]);
  for (const text of ["0s", "2147483648ms", "25d", "1", "1w"]) {
    assertThrows(() => read(text), UsageError, "a duration of up to 24 days");
  }
});
