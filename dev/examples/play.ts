import { join } from "node:path";
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

/** How long an example may take to show what it must, in ms. */
const DEADLINE = 60_000;

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

/**
 * Runs an example on a private server, and lets happen what it is to show.
 *
 * @returns whether it has shown it
 */
export async function playExample(example: Example): Promise<boolean> {
  const play = PLAYS[example.name]!;
  await using stage = await setStage(play);
  const [program, ...args] = programOf(example);
  const child = new Deno.Command(program!, {
    args,
    env: { REDIS_URL: stage.url, PORT: "0" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();

  const missing = new Set(play.shows);
  let ended = false;
  const read = (async () => {
    const text = child.stdout.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    );
    let line = "";
    for await (const part of text) {
      const lines = (line + part).split("\n");
      line = lines.pop()!;
      for (const one of lines) {
        console.log(one);
        for (const words of missing) if (one.includes(words)) missing.delete(words);
      }
    }
    ended = true;
  })();

  const deadline = performance.now() + DEADLINE;
  const goesOn = () => missing.size > 0 && !ended && performance.now() < deadline;
  const redis = await openRedis(stage.servers[0]!.url);
  try {
    for (const server of stage.servers) {
      while (goesOn() && !await isWatched(server)) await sleep(20);
    }
    while (goesOn()) {
      await play.act(redis, stage.servers);
      const again = performance.now() + AGAIN;
      while (goesOn() && performance.now() < again) await sleep(20);
    }
  } finally {
    redis.destroy();
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await child.status;
    await read;
  }
  for (const words of missing) console.error(`It has not shown: ${words}`);
  return missing.size === 0;
}
