/**
 * The demo: a private server, a small workload that looks like life, and every notification of it
 * as it comes. Ends with 0 when exactly what must come has come, with 1 otherwise.
 *
 * @module
 */

import { formatNotification, painter } from "../../cli/format.ts";
import { standardOutput } from "../../cli/output.ts";
import { connect } from "../../mod.ts";
import { ensureServer, startServer } from "../../tests/servers/mod.ts";
import { Ledger } from "./ledger.ts";
import { report } from "./report.ts";
import { expectations, runWorkload } from "./workload.ts";

/** When to give up on what has not come, in ms after the first command. */
const DEADLINE = 12_000;

/** How long to look on for what should not come, in ms after the last that should. */
const AFTERMATH = 300;

async function main(): Promise<number> {
  const output = standardOutput();
  const color = Deno.stdout.isTerminal() && Deno.env.get("NO_COLOR") === undefined;
  const paint = painter({ color });
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupt);
  output.onClosed = interrupt;
  try {
    const binary = await ensureServer({ progress: (message) => output.note(message) });
    await using server = await startServer({
      binary,
      config: { "notify-keyspace-events": "KEA" },
    });
    await using notifications = await connect(server.url, { signal: stop.signal });
    const [{ software, version, protocol } = {}] = notifications.status().nodes;
    output.line(
      paint("bold", "Keywatch") +
        ` watches every key of a private ${software} ${version} on ${server.url}, RESP${protocol}`,
    );
    output.line("");

    const ledger = new Ledger(expectations());
    const enough = new AbortController();
    let timer = setTimeout(() => enough.abort(), DEADLINE);
    const ended = AbortSignal.any([stop.signal, enough.signal]);
    await notifications.subscribeKeyspace("*", { db: "*" });
    const workload = runWorkload((...command) => server.command(...command), ended);
    workload.catch(() => {});
    for await (const notification of notifications.listen({ signal: ended })) {
      output.line(formatNotification(notification, { color }));
      const { database, eventType: event, key } = notification;
      ledger.enter({ database, event, key });
      if (ledger.missing.length > 0) continue;
      clearTimeout(timer);
      timer = setTimeout(() => enough.abort(), AFTERMATH);
    }
    clearTimeout(timer);
    stop.signal.throwIfAborted();
    const { lines, status } = report(ledger, paint);
    for (const line of lines) output.line(line);
    return status;
  } catch (error) {
    output.note(`demo: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.removeSignalListener(signal, interrupt);
    }
  }
}

if (import.meta.main) Deno.exit(await main());
