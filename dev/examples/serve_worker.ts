/**
 * Runs the worker of `examples/durable_object/` in workerd against `$REDIS_URL` until Ctrl-C, and
 * prints what its Durable Object keeps.
 *
 * @module
 */

import { listenForInterrupt } from "../../cli/interrupt.ts";
import type { Item } from "../../examples/durable_object/worker.ts";
import { sleep } from "../../tests/servers/mod.ts";
import { startWorker } from "./worker.ts";

const { signal, release } = listenForInterrupt();
const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
try {
  await using worker = await startWorker(folder, Deno.env.get("REDIS_URL")!);
  console.log(`${worker.url}/ and /health`);
  let shown = "";
  while (!signal.aborted) {
    const items: Item[] = await (await fetch(worker.url)).json();
    const lines = items.map((item) => JSON.stringify(item));
    for (const line of lines.slice(lines.lastIndexOf(shown) + 1)) console.log(shown = line);
    await sleep(200);
  }
} finally {
  release();
  await Deno.remove(folder, { recursive: true });
}
