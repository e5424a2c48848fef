/**
 * The demo: a private server, a small workload that looks like life, and every notification of it
 * as it comes. Ends with 0 when exactly what must come has come, with 1 otherwise.
 *
 * @module
 */

import { formatNotification } from "../../cli/format.ts";
import { listenForInterrupt } from "../../cli/interrupt.ts";
import { messageOf } from "../../cli/message.ts";
import { Output } from "../../cli/output.ts";
import { connect } from "../../mod.ts";
// By their modules: what else the tests use, the demo need not download.
import { ensureServer } from "../../tests/servers/binary.ts";
import { ServerProcess } from "../../tests/servers/server_process.ts";
import { Commands } from "./commands.ts";
import { Ledger } from "./ledger.ts";
import { report } from "./report.ts";
import { expectations, runWorkload } from "./workload.ts";

/** When to give up on what has not come, in ms after the first command. */
const DEADLINE = 12_000;

/** How long to look on for what should not come, in ms after the last that should. */
const AFTERMATH = 300;

/**
 * Shows the demo.
 *
 * @param stop gives it up
 * @returns the exit status
 * @throws the reason of `stop`, and what keeps the workload from being run
 */
async function demo(output: Output, stop: AbortSignal): Promise<number> {
  const { paint } = output;
  const binary = await ensureServer({ progress: (message) => output.note(message) });
  await using server = await ServerProcess.start(binary, {
    config: { "notify-keyspace-events": "KEA" },
  });
  using commands = await Commands.connect(server.port);
  await using notifications = await connect(server.url, { signal: stop });
  const [{ software, version, protocol } = {}] = notifications.status().nodes;
  output.line(
    `${paint("bold", "Keywatch")} watches every key of a private ${software} ${version}, ` +
      `over RESP${protocol}`,
  );
  output.line(paint("gray", server.url));
  output.line("");

  const ledger = new Ledger(expectations());
  const enough = new AbortController();
  const broken = new AbortController();
  let timer = setTimeout(() => enough.abort(), DEADLINE);
  const ended = AbortSignal.any([stop, enough.signal, broken.signal]);
  await notifications.subscribeKeyspace("*", { db: "*" });
  // What it rejects with once all is over is nothing but that.
  runWorkload((...command) => commands.send(...command), ended).catch((error) => {
    if (!ended.aborted) broken.abort(error);
  });
  try {
    for await (const notification of notifications.listen({ signal: ended })) {
      output.line(formatNotification(notification, paint));
      const { database, eventType: event, key } = notification;
      ledger.enter({ database, event, key });
      if (ledger.missing.length > 0) continue;
      clearTimeout(timer);
      timer = setTimeout(() => enough.abort(), AFTERMATH);
    }
  } finally {
    clearTimeout(timer);
  }
  stop.throwIfAborted();
  broken.signal.throwIfAborted();
  const { lines, status } = report(ledger, paint);
  for (const line of lines) output.line(line);
  return status;
}

async function main(): Promise<number> {
  const output = new Output();
  const interrupt = listenForInterrupt();
  let status: number;
  try {
    status = await demo(output, AbortSignal.any([interrupt.signal, output.broken]));
  } catch (error) {
    const why = output.broken.aborted ? output.failure : messageOf(error);
    // A server that did not start may have written many lines.
    if (why !== null) { for (const line of `demo: ${why}`.split("\n")) output.note(line, "red"); }
    status = 1;
  }
  await output.flush(interrupt.signal);
  interrupt.release();
  return status;
}

if (import.meta.main) Deno.exit(await main());
