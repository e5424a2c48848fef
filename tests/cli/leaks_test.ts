/** The CLI shows no password, whatever a server says and wherever a URL stands. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startServer } from "../servers/mod.ts";
import { FakeServer } from "../pubsub/fake_server.ts";
import { leaksOf } from "../pubsub/echoes.ts";
import { InProcess } from "./in_process.ts";
import { Tool, TRUSTED } from "./tool.ts";
import type { Cli } from "./cli.ts";

const PASSWORD = "zq7KxvWj9-ZQ8xx";

async function printed(args: readonly string[]): Promise<string> {
  return await textOf(InProcess.run(args));
}

async function textOf(cli: Cli): Promise<string> {
  await using _ = cli;
  const text = await cli.rest();
  const { stderr } = await cli.ended();
  return text + stderr;
}

const COMMANDS: readonly (readonly string[])[] = [
  ["doctor", "--probe"],
  ["watch", "--for", "100ms"],
  ["watch", "--json", "--gaps", "--for", "100ms"],
  ["watch", "--csv", "--for", "100ms"],
  ["top", "--for", "100ms"],
];

for (const lacking of [['HELLO ""'], ['AUTH ""'], ['HELLO ""', 'AUTH ""']]) {
  Deno.test(`of a server without ${lacking.join(" and ")} no password is printed`, async () => {
    const config = { "rename-command": lacking, "notify-keyspace-events": "KEA" };
    const hasPassword = !lacking.includes('AUTH ""');
    await using server = await startServer({
      config,
      ...(hasPassword ? { password: PASSWORD } : {}),
    });
    for (const command of COMMANDS) {
      const text = await printed([...command, "--url", server.url, "--password", PASSWORD]);
      assertEquals(leaksOf(text, PASSWORD), [], text);
      if (!hasPassword && lacking.length === 2) {
        assertStringIncludes(text, "unknown");
      }
    }
    const url = server.url.replace("//", `//:${PASSWORD}@`);
    assertEquals(leaksOf(await printed(["doctor", "--url", url]), PASSWORD), []);
    const env = { REDIS_URL: url, REDIS_PASSWORD: `${PASSWORD}x` };
    const text = await textOf(Tool.run(["doctor"], { program: TRUSTED, env }));
    assertStringIncludes(text, `127.0.0.1:${server.port}`);
    assertEquals(leaksOf(text, PASSWORD), []);
  });
}

const bulk = (text: string) => `$${new TextEncoder().encode(text).length}\r\n${text}\r\n`;

Deno.test("what a hostile server says of itself is printed as no password and no control", async () => {
  const evils = [PASSWORD, "x\x1b[2J\nforged: \u202e line", "K'; echo 'forged"];
  // At the same time, for `doctor` waits for what never comes.
  await Promise.all(evils.map(async (evil) => {
    await using server = new FakeServer(([name, ...words]) => {
      switch (name) {
        case "HELLO":
          return "-NOPROTO no\r\n";
        case "INFO":
          return bulk(`redis_version:${evil.replace("\n", "")}\r\nredis_mode:standalone`);
        case "ROLE":
          return `*3\r\n${bulk("slave")}${bulk(`${evil}.example`)}:1\r\n`;
        case "ACL":
          return bulk(evil);
        case "CONFIG":
          return `*2\r\n${bulk(words[1]!)}${bulk(evil)}`;
        case "PSUBSCRIBE":
          return `!${evil.length + 7}\r\nNOPERM ${evil}\r\n`;
        default:
          return undefined;
      }
    });
    await Promise.all(COMMANDS.map(async (command) => {
      const text = await printed([...command, "--url", server.url, "--password", PASSWORD]);
      assertEquals(leaksOf(text, PASSWORD), [], text);
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|^forged/m.test(text), text);
      assert(!/CONFIG SET.*forged/.test(text), text);
    }));
  }));
});

Deno.test("a user in which the password stands is in no command that doctor advises", async () => {
  await using server = new FakeServer(([name]) =>
    ["CONFIG", "ACL"].includes(name!)
      ? "-NOPERM this user has no permissions to run the 'config|get' command\r\n"
      : undefined
  );
  for (const user of [PASSWORD, `app-${PASSWORD}`]) {
    const login = ["--user", user, "--password", PASSWORD];
    const text = await printed(["doctor", "--url", server.url, ...login]);
    assertStringIncludes(text, "ACL SETUSER USER '+config|get'");
    assertEquals(leaksOf(text, PASSWORD), [], text);
  }
});

Deno.test("the primary that a replica names is quoted for the shell", async () => {
  await using server = new FakeServer(([name]) =>
    name === "HELLO"
      ? `%2\r\n${bulk("mode")}${bulk("standalone")}${bulk("role")}${bulk("replica")}`
      : name === "ROLE"
      ? `*5\r\n${bulk("slave")}${bulk("$(id);`id`'.example")}:6379\r\n${bulk("connected")}:1\r\n`
      : undefined
  );
  const text = await printed(["doctor", "--url", server.url]);
  assertStringIncludes(text, "--url 'redis://$(id);`id`'\\''.example:6379'");
});

Deno.test("a URL that stands where none is expected is not repeated", async () => {
  const url = `redis://:${PASSWORD}@localhost`;
  const mistakes = [
    [url],
    ["help", url],
    [`--url=${url}`, "watch"],
    [`--password=${PASSWORD}`],
    [`-a${PASSWORD}`, "watch"],
    ["watch", url],
    ["doctor", url],
    ["top", url],
    ["watch", `--password${PASSWORD}`],
    ["watch", `--url${url}`],
    ["watch", `--uri=${url}`],
    ["watch", `-a${PASSWORD}`],
    ["watch", "--db", url],
    ["watch", "--for", url],
    ["watch", "--count", url],
    ["flags", url],
    ["flags", "for", url],
    ["flags", "explain", url],
    ["watch", "--url", `redis://${PASSWORD}@localhost`],
    ["watch", "--event", url],
    ["watch", "--field", url],
    ["watch", "--user", url],
    ["watch", `--ca=${url}`],
    ["doctor", "--cert", url, "--key", url],
    ["top", "--servername", url],
    ["watch", ` ${url}`],
    ["watch", `"${url}"`],
    ["doctor", `redis:/:${PASSWORD}@localhost`],
    ["doctor", `valkey+tls://:${PASSWORD}@localhost`],
    ["flags", "for", "--event", ` ${url}`],
    ["watch", `--${url}`],
    ["watch", `--pass${PASSWORD}`],
    ["watch", `--auth:${PASSWORD}`],
    ["watch", `--user:${PASSWORD}=x`],
  ];
  for (const args of mistakes) {
    const text = await printed(args);
    assertEquals(leaksOf(text, PASSWORD), [], `${args}: ${text}`);
  }
});
