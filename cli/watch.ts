import type { KeyspaceNotificationsInterface } from "../mod.ts";
import { Stopwatch, timeOfDay } from "./clock.ts";
import { type Arguments, type Command, type Context, UsageError } from "./command.ts";
import { CONNECTION_HELP, CONNECTION_OPTIONS, readTarget } from "./connection.ts";
import { formatGap, formatNodes } from "./format.ts";
import { readCount, readDuration } from "./numbers.ts";
import { open, startDeadline } from "./open.ts";
import type { Output } from "./output.ts";
import { Selection, SELECTION_HELP, SELECTION_OPTIONS } from "./selection.ts";
import { CsvFormat } from "./watch/csv_format.ts";
import { JsonFormat } from "./watch/json_format.ts";
import type { LineFormat } from "./watch/line_format.ts";
import { TextFormat } from "./watch/text_format.ts";

const HELP = `Prints notifications as they come, until Ctrl-C: time, database, event, key.
They go to standard output, all else to standard error.

${SELECTION_HELP}

How to print:
  --json             an object a line; bytes of a key that are not text stand
                     in base64 beside it, as keyBase64
  --csv              rows as redis-cli --csv psubscribe prints them
  --gaps             gaps go to standard output, each at its place, as a line,
                     as an object of kind "gap", or as a row
                     "gap",reason,node,slots,from,to,dropped; left out, they
                     are told on standard error
  --since-start      the time since the start in place of the time of day;
                     with --json besides it, in ms, as sinceStart

When to end:
  --for DURATION     after 500ms, 30s, 5m, 2h
  --count N          after N notifications; with --for, the exit status is 1
                     when fewer came in that time

${CONNECTION_HELP}

Examples:
  keywatch watch 'user:*' 'order:*'
  keywatch watch --event expired --json --url redis://10.0.0.5/2
  keywatch watch 'cart:*' --field total
  keywatch watch order:1004 --event del --count 1 --for 30s && echo gone`;

/** The command that prints notifications as lines. */
export const watch: Command = {
  summary: "prints notifications as lines, JSON or CSV",
  usage: "watch [pattern…] [--event NAME] [--json | --csv] [options]",
  help: HELP,
  options: {
    ...SELECTION_OPTIONS,
    json: { type: "boolean" },
    csv: { type: "boolean" },
    gaps: { type: "boolean" },
    "since-start": { type: "boolean" },
    for: { type: "string" },
    count: { type: "string" },
    ...CONNECTION_OPTIONS,
  },

  async run(args: Arguments, context: Context): Promise<number> {
    const { output } = context;
    const duration = readDuration(args, "for");
    const count = readCount(args, "count") ?? Infinity;
    const stopwatch = args.has("since-start") ? new Stopwatch() : null;
    const clock = stopwatch ?? timeOfDay;
    if (args.has("json") && args.has("csv")) {
      throw new UsageError("--json and --csv exclude each other");
    }
    if (args.has("csv") && stopwatch !== null) {
      throw new UsageError("--since-start has no place in --csv: its rows hold no time");
    }
    const target = await readTarget(args);
    const selection = Selection.read(args, target.db);
    const format: LineFormat = args.has("csv")
      ? new CsvFormat(selection.channels)
      : args.has("json")
      ? new JsonFormat(stopwatch)
      : new TextFormat(output.paint, clock);

    // Not by `await using`, which Node 20 cannot parse.
    let notifications: KeyspaceNotificationsInterface | undefined;
    let deadline = startDeadline(undefined, context.signal);
    let left = count;
    try {
      notifications = await open(target, selection, context, { clientName: "keywatch-watch" });
      if (stopwatch !== null) stopwatch.start = Date.now();
      deadline = startDeadline(duration, context.signal);
      const { signal } = deadline;
      const where = target.db === "*" ? "all databases" : `database ${target.db}`;
      const nodes = formatNodes(notifications.status().nodes);
      output.note(`watching ${selection} on ${nodes}, ${where}; Ctrl-C ends it`, "gray");
      for (const line of format.head()) output.line(line);
      for await (const item of notifications.listen({ gaps: true, signal })) {
        if (item.kind === "gap") {
          if (args.has("gaps")) output.line(format.gap(item));
          else await noteInOrder(formatGap(item, clock), output, signal);
        } else if (selection.takes(item.eventType)) {
          for (const line of format.notification(item)) output.line(line);
          if (--left === 0) break;
        }
        if (output.isFull) await output.flush(signal);
      }
    } catch (error) {
      // Interrupted while connecting.
      if (!context.signal.aborted) throw error;
    } finally {
      deadline.release();
      await notifications?.close();
    }
    if (!deadline.isOver || left === 0 || count === Infinity) return 0;
    output.note(
      `keywatch: only ${count - left} of ${count} came within ${args.text("for")}`,
      "red",
    );
    return 1;
  },
};

/** At its place also where results and notes go to the same file. */
async function noteInOrder(line: string, output: Output, signal: AbortSignal): Promise<void> {
  await output.flush(signal);
  output.note(line, "yellow");
  await output.flush(signal);
}
