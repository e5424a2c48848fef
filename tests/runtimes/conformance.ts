/**
 * The contract of `cases/`, kept by the packed package in every runtime. One of them:
 *
 * ```sh
 * deno task test tests/runtimes/conformance_test.ts --filter=Bun
 * ```
 *
 * To run it by hand, keep the folder that {@linkcode applicationOfTests} fills, and give
 * `node conformance.mjs` the settings that are made below, for a server to play with: it is emptied,
 * its flags and users are changed.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { makeCertificates, startServer } from "../servers/mod.ts";
import { applicationOfTests } from "./package.ts";
import { problemsOf, runToEnd } from "./outcome.ts";
import { Peers } from "./peers.ts";
import { findBun, findDeno, findNode, type Program } from "./programs.ts";
import { startFailing } from "./failing.ts";

const RUNTIMES: [name: string, find: (sockets: readonly string[]) => Promise<Program>][] = [
  ["Node", findNode],
  ["Bun", findBun],
  ["Deno", findDeno],
];

/**
 * Registers a test for each runtime.
 *
 * @param everything with the cases of sentinels and clusters, which wait for failovers
 */
export function testConformance({ everything }: { everything: boolean }): void {
  const application = applicationOfTests();

  for (const [name, find] of RUNTIMES) {
    Deno.test(`the packed package keeps the contract in ${name}`, async () => {
      const certificates = await makeCertificates("DNS:redis.test,IP:10.0.0.1");
      const strange = await makeCertificates();
      await using server = await startServer({ password: "secret", tls: certificates });
      await using stack = new AsyncDisposableStack();
      await using peers = new Peers(server.dir, await makeCertificates());
      const program = await find([server.socket, ...peers.sockets]);
      const settings = JSON.stringify({
        url: `redis://:secret@${server.host}:${server.port}`,
        exports: application.entries,
        secured: {
          url: server.tlsUrl.replace("//", "//:secret@"),
          tls: { ca: certificates.ca, ...certificates.client, serverName: "redis.test" },
          strange: { ca: strange.ca, ...strange.client },
        },
        unix: `redis+unix://:secret@${server.socket}`,
        ...(everything ? await startFailing(stack) : {}),
        ways: peers.ways,
      });
      const problems = problemsOf(
        await runToEnd([...program, "conformance.mjs", settings], application.folder),
      );
      assertEquals(problems, [], problems.join("\n"));
    });
  }
}
