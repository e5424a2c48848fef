/**
 * The contract, kept by the packed package in Workers, in workerd. The package and the cases are
 * bundled into one module, as they are for Workers.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { type Certificate, makeCertificates, startServer } from "../servers/mod.ts";
import { problemsOf, runToEnd } from "./outcome.ts";
import { applicationOfTests, bundleApplication } from "./package.ts";
import { Peers } from "./peers.ts";
import { findWorkerd } from "./programs.ts";
import { startFailing } from "./failing.ts";

interface Outside {
  /** The authorities that are trusted. */
  ca: string[];
  client?: Certificate;
}

/** A configuration of one worker, and of what lies outside it. */
function configText({ ca, client }: Outside): string {
  // Strings as JSON has them are strings as that language has them, for certificates at least.
  const text = (value: string) => JSON.stringify(value);
  const keypair = client === undefined ? "" : `,
    keypair = (privateKey = ${text(client.key)}, certificateChain = ${text(client.cert)})`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["private"], tlsOptions = (
      trustBrowserCas = false,
      trustedCertificates = [${ca.map(text).join(", ")}]${keypair}
    ))),
  ],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "bundle.js")],
  bindings = [(name = "SETTINGS", json = embed "settings.json")],
  compatibilityDate = "2026-11-01",
);
`;
}

/**
 * Registers the tests.
 *
 * @param everything with the cases of sentinels and clusters, which wait for failovers
 */
export function testWorkers({ everything }: { everything: boolean }): void {
  const application = applicationOfTests();

  Deno.test.beforeAll(async () => {
    await bundleApplication(application.folder, "worker.mjs", [
      "--platform=neutral",
      // As Wrangler has them.
      "--conditions=workerd,worker,browser",
      "--external:cloudflare:*",
      "--outfile=bundle.js",
    ]);
  });

  for (const cases of ["contract", "stranger"] as const) {
    Deno.test(`the packed package keeps the ${cases} in Workers`, async (test) => {
      const { folder } = application;
      const workerd = await findWorkerd();
      const certificates = await makeCertificates("DNS:redis.test,IP:10.0.0.1");
      const ofPeers = await makeCertificates();
      await using server = await startServer({ password: "secret", tls: certificates });
      await using stack = new AsyncDisposableStack();
      await using peers = new Peers(server.dir, ofPeers);
      const { client } = certificates;
      const ca = [certificates.ca, ofPeers.ca];
      const outsides: Record<string, Outside> = cases === "contract"
        ? { "all certificates": { ca, client } }
        : { "no authority": { ca: [], client }, "no client certificate": { ca } };
      const settings = {
        cases,
        url: `redis://:secret@${server.host}:${server.port}`,
        // The authority is the worker's configuration.
        secured: { url: server.tlsUrl.replace("//", "//:secret@"), serverName: "redis.test" },
        ...(everything && cases === "contract" ? await startFailing(stack) : {}),
        ways: peers.ways.map((way) => "tls" in way ? { ...way, tls: {} } : way),
      };
      await Deno.writeTextFile(join(folder, "settings.json"), JSON.stringify(settings));
      for (const [name, outside] of Object.entries(outsides)) {
        await test.step(`with ${name}`, async () => {
          await Deno.writeTextFile(join(folder, "config.capnp"), configText(outside));
          const ended = await runToEnd([...workerd, "test", "config.capnp"], folder);
          // It writes about its work there, also when all is well.
          const problems = problemsOf({ ...ended, stderr: "" });
          assertEquals(problems, [], `${problems.join("\n")}\n${ended.stderr}`);
        });
      }
    });
  }
}
