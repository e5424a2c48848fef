/** What is laid out for people fits their terminal, and shells complete what there is. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../servers/run.ts";
import { startServer } from "../servers/mod.ts";
import { InProcess } from "./in_process.ts";

/** One column is left free. */
const SIXTY = 59;

const COMMANDS = ["watch", "top", "dashboard", "forward", "doctor", "flags", "completion"];

/** Commands to copy stay in one piece. */
function tooLong(text: string): string[] {
  return text.split("\n").filter((line) => line.length > SIXTY && !line.startsWith("  keywatch "));
}

async function prints(args: readonly string[], width?: number): Promise<string> {
  await using cli = InProcess.run(args, width);
  const text = await cli.rest();
  assertEquals(await cli.ended(), { code: 0, stderr: "" });
  return text;
}

for (const args of [[], ...COMMANDS.map((name) => [name])]) {
  Deno.test(`the help of keywatch ${args} wraps at 60 columns`, async () => {
    const text = await prints([...args, "--help"], SIXTY);
    assertEquals(tooLong(text).filter((line) => !line.startsWith("  source ")), []);
  });
}

Deno.test("flags and doctor wrap at 60 columns", async () => {
  for (const args of [[], ["KEA"], ["for", "user:*", "expired"]]) {
    const long = tooLong(await prints(["flags", ...args], SIXTY));
    assertEquals(long.filter((line) => !line.startsWith("redis-cli ")), []);
  }
  await using server = await startServer({ config: { "notify-keyspace-events": "K" } });
  await using doctor = InProcess.run(
    ["doctor", "a pattern of keys: *", "--url", server.url],
    SIXTY,
  );
  const long = tooLong(await doctor.rest());
  assertEquals(long.filter((line) => !line.trimStart().startsWith("$ ")), []);
});

Deno.test("-v is the version, and -h without a host the help", async () => {
  const version = await prints(["--version"]);
  for (const args of [["-v"], ["watch", "-v"], ["top", "--version"]]) {
    assertEquals(await prints(args), version);
  }
  assertEquals(await prints(["watch", "-h"]), await prints(["watch", "--help"]));
  assertEquals(await prints(["flags", "-h"]), await prints(["flags", "--help"]));
});

/** What bash completes after these words, of which the last one is not finished. */
async function completes(...words: string[]): Promise<string[]> {
  const script = await prints(["completion", "bash"]);
  const { stdout, code } = await run([
    "bash",
    "-c",
    `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _keywatch; echo "\${COMPREPLY[*]}"`,
    "bash",
    "keywatch",
    ...words,
  ]);
  assertEquals(code, 0);
  return stdout.trim().split(/\s+/).filter(Boolean);
}

Deno.test("bash completes commands, options, events and paths", async () => {
  for (const name of COMMANDS) assert((await completes("")).includes(name));
  assertEquals(await completes("wa"), ["watch"]);
  assertEquals(await completes("help", "doc"), ["doctor"]);
  assertEquals(await completes("watch", "--js"), ["--json"]);
  assertEquals(await completes("doctor", "x:*", "--pro"), ["--probe"]);
  assertEquals(await completes("top", "--event", "expir"), ["expire", "expired"]);
  assertEquals(await completes("flags", ""), ["explain", "for"]);
  assertEquals(await completes("completion", "f"), ["fish"]);
  assert((await completes("watch", "-s", "cli/mo")).includes("cli/mod.ts"));
  assertEquals(await completes("watch", ""), []);
});

for (const shell of ["zsh", "fish"]) {
  const found = await run([shell, "--version"]).then(({ code }) => code === 0, () => false);
  // Where the shell is not installed, the words alone are looked at.
  Deno.test(`${shell} takes the script, which has every command and option`, async () => {
    const script = await prints(["completion", shell]);
    for (const name of COMMANDS) {
      assertStringIncludes(script, name);
      const help = await prints([name, "--help"]);
      for (const [, option] of help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)) {
        assertStringIncludes(script, shell === "zsh" ? `--${option}[` : `-l ${option}`);
      }
    }
    if (!found) return;
    const { code, output } = await run([shell, "-n", "-c", script]);
    assertEquals([code, output], [0, ""]);
    if (shell !== "fish") return;
    const { stdout } = await run([shell, "-c", `${script}\ncomplete -C 'keywatch watch --js'`]);
    assertStringIncludes(stdout, "--json\tone object a line");
  });
}
