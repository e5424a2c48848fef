import { assertEquals, assertStringIncludes } from "@std/assert";
import { painter } from "../../cli/format.ts";
import { Ledger } from "../../dev/demo/ledger.ts";
import { report } from "../../dev/demo/report.ts";

/** Runs the demo; `interruptAt` is what it has printed when Ctrl-C is pressed. */
async function demo(interruptAt?: string) {
  // Where its server's folder goes, so that what it leaves behind can be seen.
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "dev/demo/main.ts"],
    cwd: new URL("../..", import.meta.url),
    env: { TMPDIR: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let stdout = "";
  const text = child.stdout.pipeThrough(
    new TextDecoderStream() as TransformStream<Uint8Array, string>,
  );
  for await (const part of text) {
    if (interruptAt && !stdout.includes(interruptAt) && (stdout + part).includes(interruptAt)) {
      child.kill("SIGINT");
    }
    stdout += part;
  }
  const { code } = await child.status;
  await stderr;
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
  await Deno.remove(folder, { recursive: true });
  const port = Number(/redis:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1]);
  return { code, stdout, left, port };
}

async function isOpen(port: number): Promise<boolean> {
  try {
    using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}

Deno.test("the demo shows every notification of its workload and leaves nothing behind", async () => {
  const { code, stdout, left, port } = await demo();
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, "✓ 40 notifications: each one that the workload caused, once");
  assertStringIncludes(stdout, "db1  expired       session:ana");
  assertEquals(stdout.includes("\x1b"), false, "colours in a pipe");
  assertEquals([left, await isOpen(port)], [[], false]);
});

Deno.test("an interrupted demo leaves nothing behind either", async () => {
  const { code, left, port } = await demo("hset");
  assertEquals([code, left, await isOpen(port)], [1, [], false]);
});

Deno.test("the ledger tells what is missing and what is too much", () => {
  const set = { database: 0, event: "set", key: "k" };
  const del = { database: 0, event: "del", key: "k" };
  const ledger = new Ledger([set, set, del]);
  ledger.enter(set);
  ledger.enter({ ...set, database: 1 });
  assertEquals(ledger.missing, [set, del]);
  assertEquals(ledger.unexpected, [{ ...set, database: 1 }]);
  assertEquals([ledger.received, ledger.expected], [2, 3]);
  assertEquals(ledger.byEvent(), [
    { event: "set", received: 2, expected: 2 },
    { event: "del", received: 0, expected: 1 },
  ]);
  const { lines, status } = report(ledger, painter({ color: false }));
  assertEquals(status, 1);
  assertEquals(lines, [
    "",
    "  set            2  ▪▪",
    "  del            0    should be 1",
    "",
    "  did not come: set on k in database 0",
    "  did not come: del on k in database 0",
    "  should not have come: set on k in database 1",
    "✗ 2 notifications came, 3 should have",
  ]);
});
