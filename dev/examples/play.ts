import { join } from "node:path";
import { listenForInterrupt } from "../../cli/interrupt.ts";
import { openRedis } from "../../examples/redis.ts";
import {
  ensureServer,
  sleep,
  startCluster,
  startServer,
  type TestServer,
} from "../../tests/servers/mod.ts";
import { ROOT } from "../project.ts";
import type { Example } from "./list.ts";
import { type Play, PLAYS } from "./plays.ts";

/** How long an example may take to show what it must, in ms; it may have to install a runtime. */
const DEADLINE = 180_000;

/** How long to wait for it before all happens once more, in ms. */
const AGAIN = 5_000;

/** Where a play takes place. */
interface Stage extends AsyncDisposable {
  readonly url: string;
  readonly servers: readonly TestServer[];
}

async function setStage({ flags, cluster }: Play): Promise<Stage> {
  const binary = await ensureServer({ progress: (message) => console.error(message) });
  const config = {
    "notify-keyspace-events": flags ?? "KEA",
    ...(flags === null ? { "rename-command": 'CONFIG ""' } : {}),
    // What is left of a cluster goes on.
    ...(cluster ? { "cluster-require-full-coverage": "no" } : {}),
  };
  if (!cluster) {
    const server = await startServer({ binary, config });
    return {
      url: server.url,
      servers: [server],
      [Symbol.asyncDispose]: () => server.stop(),
    };
  }
  const nodes = await startCluster({ binary, config });
  return {
    url: nodes.urls.join(","),
    servers: nodes.servers,
    [Symbol.asyncDispose]: () => nodes.stop(),
  };
}

async function isWatched(server: TestServer): Promise<boolean> {
  const clients = String(await server.command("CLIENT", "LIST")).split("\n");
  return clients.some((line) => / name=keywatch /.test(line) && !/ sub=0 psub=0 /.test(line));
}

/** The command that runs an example's program, with the rights it needs. */
export function programOf({ file }: Example): string[] {
  if (file.endsWith("/worker.ts")) {
    return [Deno.execPath(), "run", "--allow-all", join(ROOT, "dev/examples/serve_worker.ts")];
  }
  const rights = ["--no-prompt", "--allow-net", "--allow-env", "--allow-read"];
  return [Deno.execPath(), "run", ...rights, join(ROOT, file)];
}

/** An example that runs, and what it has not shown yet. */
class Performance {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  readonly #over = new AbortController();
  readonly missing: Set<string>;

  constructor(example: Example, url: string, shows: readonly string[]) {
    const [program, ...args] = programOf(example);
    this.#child = new Deno.Command(program!, {
      args,
      env: { REDIS_URL: url, PORT: "0" },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.missing = new Set(shows);
    this.#read = this.#show().finally(() => this.#over.abort());
  }

  async #show(): Promise<void> {
    const decoder = new TextDecoder();
    let line = "";
    for await (const chunk of this.#child.stdout) {
      const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
      line = lines.pop()!;
      for (const one of lines) {
        console.log(one);
        for (const words of this.missing) if (one.includes(words)) this.missing.delete(words);
      }
    }
  }

  /** Aborted once it has ended. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  async end(): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#read;
  }
}

/**
 * Runs an example on a private server, and lets happen what it is to show.
 *
 * @returns whether it has shown it
 */
export async function playExample(example: Example): Promise<boolean> {
  const play = PLAYS[example.name]!;
  const interrupt = listenForInterrupt();
  await using stage = await setStage(play);
  const performing = new Performance(example, stage.url, play.shows);
  const { missing } = performing;
  const over = AbortSignal.any([interrupt.signal, performing.over]);
  const deadline = performance.now() + DEADLINE;
  const waits = () => missing.size > 0 && !over.aborted && performance.now() < deadline;
  try {
    for (const server of stage.servers) {
      while (waits() && !await isWatched(server)) await sleep(20);
    }
    if (play.live) await play.live(stage.servers, over);
    else await actUntil(play, stage, waits);
  } finally {
    interrupt.release();
    await performing.end();
  }
  if (!interrupt.signal.aborted) {
    for (const words of missing) console.error(`It has not shown: ${words}`);
  }
  return missing.size === 0;
}

/** Lets it happen, once more every few seconds, for as long as somebody waits for more. */
async function actUntil({ act }: Play, { servers }: Stage, waits: () => boolean): Promise<void> {
  const redis = await openRedis(servers[0]!.url);
  try {
    while (waits()) {
      await act?.(redis, servers);
      const again = performance.now() + AGAIN;
      while (waits() && performance.now() < again) await sleep(20);
    }
  } finally {
    redis.destroy();
  }
}
