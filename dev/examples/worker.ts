import { join } from "node:path";
import { sleep } from "../../tests/servers/mod.ts";
import { OwnedProcess } from "../../tests/servers/process.ts";
import { run } from "../../tests/servers/run.ts";
import { findEsbuild, findWorkerd } from "../../tests/runtimes/programs.ts";
import { ROOT } from "../project.ts";

/** How long a worker may take to listen, in ms. */
const START = 30_000;

/** The same as `wrangler.jsonc` says, in the words of workerd. */
function configText(redisUrl: string, storage: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "storage", disk = (path = ${JSON.stringify(storage)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  bindings = [
    (name = "WATCHER", durableObjectNamespace = "Watcher"),
    (name = "REDIS_URL", text = ${JSON.stringify(redisUrl)}),
  ],
  durableObjectNamespaces = [(className = "Watcher", uniqueKey = "watcher", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
  compatibilityDate = "2026-11-01",
);
`;
}

/** A worker that runs in workerd. */
export interface RunningWorker extends AsyncDisposable {
  readonly url: string;
  /** Kills it, as a machine that fails. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Bundles the worker of `examples/durable_object/` and starts it.
 *
 * @param folder where its objects keep what they keep
 * @param alarm how long after an alarm the next comes, in ms, in place of what the worker says
 */
export async function startWorker(
  folder: string,
  redisUrl: string,
  alarm?: number,
): Promise<RunningWorker> {
  const bundle = [
    ...await findEsbuild(),
    join(ROOT, "examples/durable_object/worker.ts"),
    "--bundle",
    "--format=esm",
    "--platform=neutral",
    "--external:cloudflare:*",
    `--alias:@keywatch/keywatch=${join(ROOT, "mod.ts")}`,
    "--log-level=warning",
    `--outfile=${join(folder, "worker.js")}`,
  ];
  const { code, output } = await run(bundle);
  if (code !== 0) {
    throw new Error(`Cannot bundle the worker: esbuild ended with ${code}:\n${output}`);
  }
  if (alarm !== undefined) {
    const file = join(folder, "worker.js");
    const text = await Deno.readTextFile(file);
    const changed = text.replace(/\bALARM = (3e4|30_?000)\b/, `ALARM = ${alarm}`);
    if (changed === text) throw new Error("The worker does not say when its alarm comes");
    await Deno.writeTextFile(file, changed);
  }
  const storage = join(folder, "storage");
  await Deno.mkdir(storage, { recursive: true });
  const config = join(folder, "config.capnp");
  await Deno.writeTextFile(config, configText(redisUrl, storage));

  return await serveWorker(config);
}

/** Starts a worker that listens on a socket of the name `http`, as its configuration says. */
export async function serveWorker(config: string): Promise<RunningWorker> {
  const [program, ...args] = await findWorkerd();
  const process = OwnedProcess.spawn(program, [...args, "serve", config, "--control-fd=1"]);
  const end = async () => {
    process.kill("SIGKILL");
    await process.status;
  };
  const deadline = performance.now() + START;
  for (;;) {
    const port = /"event":"listen","socket":"http","port":(\d+)/.exec(process.output)?.[1];
    if (port) return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: end };
    if (process.ended || performance.now() > deadline) {
      await end();
      throw new Error(`Cannot start the worker; it wrote:\n${process.output}`);
    }
    await sleep(20);
  }
}
