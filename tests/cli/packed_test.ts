/** The CLI in the package as npm installs it, in the runtimes that do not know what was run. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { run } from "../servers/run.ts";
import { startServer } from "../servers/mod.ts";
import { applicationOfTests } from "../runtimes/package.ts";
import { findBun, findNode, type Program } from "../runtimes/programs.ts";
import { Tool } from "./tool.ts";

const TALKATIVE = { config: { "notify-keyspace-events": "KEA" } };
const TOOL = join("node_modules", "@keywatch", "keywatch", "cli", "bin.js");

/** What the page consists of. */
const PARTS: [path: string, words: string][] = [
  ["", "<h1>Keywatch</h1>"],
  ["page.css", "#chart"],
  ["page.js", "EventSource"],
  ["chart.js", "drawChart"],
  ["views.js", "itemRow"],
  ["metrics", "# EOF"],
];

const application = applicationOfTests();
let programs: Readonly<Record<"Node" | "Bun", Program>>;

Deno.test.beforeAll(async () => {
  // Once: to find Bun, npm has to start.
  programs = { Node: await findNode(), Bun: await findBun() };
});

for (const name of ["Node", "Bun"] as const) {
  Deno.test(`the packed tool watches in ${name}, also for a slow reader`, async () => {
    await using server = await startServer(TALKATIVE);
    const program = [...programs[name], TOOL];
    await using tool = Tool.run(["watch", "--url", server.url], {
      program,
      cwd: application.folder,
    });
    await tool.noted("watching *");
    await server.command("SET", "k", "x");
    assertMatch((await tool.line())!, /db0 {2}set {11}k$/);
    await server.command("SET", "k".repeat(1_000_000), "x");
    await server.command("SET", "k", "x");
    tool.kill("SIGINT");
    assertEquals(await tool.exited(), 0);
  });

  Deno.test(`the packed tool fails in words in ${name}`, async () => {
    const program = [...programs[name], TOOL];
    const cases: [why: string, ...args: string[]][] = [
      ['there is no command "wach"; did you mean watch?', "wach"],
      ["there is no option --evnt; did you mean --event?", "watch", "--evnt", "set"],
      ["--db lacks its value; one that begins with - is written --db=-…", "watch", "--db", "-1"],
    ];
    for (const [why, ...args] of cases) {
      await using tool = Tool.run(args, { program, cwd: application.folder });
      const { code, stderr } = await tool.ended();
      assertEquals([code, stderr.split("\n")[0]], [2, `keywatch: ${why}`]);
    }
  });

  Deno.test(`the packed tool forwards in ${name}`, async () => {
    await using server = await startServer(TALKATIVE);
    const program = [...programs[name], TOOL];
    const options = { program, cwd: application.folder };
    const exec = 'sh -c \'printf "%s\\n" "$1"\' x {key}';
    const args = ["forward", "a*", "--count", "1", "--url", server.url];
    await using run = Tool.run([...args, "--exec", exec], options);
    await using write = Tool.run([...args, "--to-stream", "events"], options);
    await run.noted("forwarding a*");
    await write.noted("forwarding a*");
    await server.command("SET", "a b; $(c)", "x");
    assertEquals(await run.line(), "a b; $(c)");
    assertEquals([await run.exited(), await write.exited()], [0, 0]);
    assertEquals(await server.command("XLEN", "events"), 2);
  });

  Deno.test(`the packed tool serves the dashboard in ${name}`, async () => {
    await using server = await startServer(TALKATIVE);
    const program = [...programs[name], TOOL];
    const args = ["dashboard", "--port", "0", "--url", server.url];
    await using tool = Tool.run(args, { program, cwd: application.folder });
    const url = (await tool.line())!;
    for (const [path, words] of PARTS) {
      assertStringIncludes(await (await fetch(url + path)).text(), words, path);
    }
    tool.kill("SIGINT");
    assertEquals(await tool.exited(), 0);
  });

  Deno.test(`the packed tool looks, explains and shows in ${name}`, async () => {
    await using server = await startServer(TALKATIVE);
    const program = [...programs[name], TOOL];
    const start = (...args: string[]) => Tool.run(args, { program, cwd: application.folder });
    const env = { REDIS_URL: server.url, NO_COLOR: "1" };

    await using doctor = Tool.run(["doctor", "--probe"], { program, cwd: application.folder, env });
    assertStringIncludes(await doctor.rest(), "✓ probe       set of keywatch:probe:");
    assertEquals(await doctor.exited(), 0);

    await using flags = start("flags", "for", "user:*", "expired");
    assertEquals(await flags.line(), "AKE");
    assertEquals((await flags.ended()).code, 0);

    await using watch = start("watch", "--json", "--count", "1", "--url", server.url);
    await watch.noted("watching *");
    await server.command("SET", Uint8Array.of(0xff), "x");
    assertEquals(JSON.parse((await watch.line())!).keyBase64, "/w==");
    assertEquals((await watch.ended()).code, 0);

    await using top = Tool.runOnTerminal(["top"], { program, cwd: application.folder, env });
    await top.linesUntil("EVENT");
    await server.command("SET", "user:1", "x");
    await top.linesUntil("user:*");
    await top.type("q");
    assert((await top.rest()).trimEnd().endsWith("\x1b[?25h\x1b[?1049l"));
    assertEquals(await top.exited(), 0);
  });

  Deno.test(`to import the packed tool in ${name} is not to run it`, async () => {
    const script = "import { main } from '@keywatch/keywatch/cli'; console.log(typeof main)";
    const [program, ...args] = programs[name];
    await Deno.writeTextFile(join(application.folder, "import.mjs"), script);
    const { code, output } = await run([program, ...args, "import.mjs", "wach"], {
      cwd: application.folder,
    });
    assertEquals([code, output], [0, "function\n"]);
  });
}
