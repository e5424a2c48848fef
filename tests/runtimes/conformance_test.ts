/**
 * The contract of `cases/`, kept by the packed package in every runtime. One of them:
 *
 * ```sh
 * deno task test tests/runtimes/ --filter=Bun
 * ```
 *
 * To run it by hand, keep the folder that {@linkcode makeApplication} fills, and give
 * `node conformance.mjs` the settings that are made below, for a server to play with: it is emptied,
 * its flags and users are changed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { makeCertificates, startServer } from "../servers/mod.ts";
import { makeApplication } from "./package.ts";
import { Peers } from "./peers.ts";
import { findBun, findDeno, findNode, type Program } from "./programs.ts";

/** How long a runtime may take for all cases, and to end by itself, in ms. */
const LIMIT = 300_000;

let folder: string;
let exports: string[];

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  exports = await makeApplication(folder);
});

Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
});

interface Run {
  /** With which exit status or signal, or by force because it did not by itself. */
  ended: string;
  stdout: string;
  stderr: string;
}

async function runToEnd([program, ...args]: Program): Promise<Run> {
  const child = new Deno.Command(program, {
    args,
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let forced = false;
  const timer = setTimeout(() => {
    forced = true;
    child.kill("SIGKILL");
  }, LIMIT);
  const { code, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  return {
    ended: forced ? "by force" : `with ${signal ?? code}`,
    stdout: text.decode(stdout),
    stderr: text.decode(stderr),
  };
}

/** A line that the script prints. */
interface Line {
  /** The first: the names of all cases. */
  cases?: string[];
  /** For each case, its name, */
  case?: string;
  /** and what it failed of. */
  error?: string;
  /** The last: how many passed. */
  passed?: number;
}

/** All that is wrong with a run, in words. */
function problemsOf({ ended, stdout, stderr }: Run): string[] {
  const problems: string[] = [];
  const lines = stdout.split("\n").filter((line) => line !== "").map((text): Line => {
    try {
      return JSON.parse(text);
    } catch {
      problems.push(`Printed: ${text}`);
      return {};
    }
  });
  const planned = lines.find(({ cases }) => cases)?.cases ?? [];
  if (planned.length === 0) problems.push("No case was to be run");
  for (const name of planned) {
    const result = lines.find((line) => line.case === name);
    if (result === undefined) problems.push(`${name}: did not run to its end`);
    else if (result.error !== undefined) problems.push(`${name}: ${result.error}`);
  }
  const passed = lines.at(-1)?.passed;
  if (passed !== planned.length) problems.push(`${passed} of ${planned.length} cases passed`);
  if (stderr !== "") problems.push(`Wrote to standard error: ${stderr}`);
  if (ended !== "with 0") problems.push(`Ended ${ended}`);
  return problems;
}

const RUNTIMES: [name: string, find: (sockets: readonly string[]) => Promise<Program>][] = [
  ["Node", findNode],
  ["Bun", findBun],
  ["Deno", findDeno],
];

for (const [name, find] of RUNTIMES) {
  Deno.test(`the packed package keeps the contract in ${name}`, async () => {
    const certificates = await makeCertificates("DNS:redis.test,IP:10.0.0.1");
    const strange = await makeCertificates();
    await using server = await startServer({ password: "secret", tls: certificates });
    await using peers = new Peers(server.dir, await makeCertificates());
    const program = await find([server.socket, ...peers.sockets]);
    const settings = JSON.stringify({
      url: `redis://:secret@${server.host}:${server.port}`,
      exports,
      secured: {
        url: server.tlsUrl.replace("//", "//:secret@"),
        tls: { ca: certificates.ca, ...certificates.client, serverName: "redis.test" },
        strange: { ca: strange.ca, ...strange.client },
      },
      unix: `redis+unix://:secret@${server.socket}`,
      ways: peers.ways,
    });
    const problems = problemsOf(await runToEnd([...program, "conformance.mjs", settings]));
    assertEquals(problems, [], problems.join("\n"));
  });
}
