import type { KeyspaceNotificationsInterface } from "../mod.ts";
import { Stopwatch, timeOfDay } from "./clock.ts";
import { type Arguments, type Command, type Context, UsageError } from "./command.ts";
import { CONNECTION, readTarget } from "./connection.ts";
import { formatGap, formatNodes } from "./format.ts";
import { readCount, readDuration } from "./numbers.ts";
import { open, startDeadline } from "./open.ts";
import type { Output } from "./output.ts";
import { SELECTION, Selection } from "./selection.ts";
import { CsvFormat } from "./watch/csv_format.ts";
import { JsonFormat } from "./watch/json_format.ts";
import type { LineFormat } from "./watch/line_format.ts";
import { TextFormat } from "./watch/text_format.ts";

/** The command that prints notifications as lines. */
export const watch: Command = {
  summary: "prints notifications as lines, JSON or CSV",
  usage: "watch [pattern…] [--event NAME] [--json | --csv] [options]",
  about: [
    "Prints notifications as they come, until Ctrl-C: time, database, event, key. They go to " +
    "standard output, everything else to standard error.",
  ],
  groups: [
    SELECTION,
    {
      title: "How to print",
      options: {
        json: {
          type: "boolean",
          help: "one object a line. Beside a key that is not text, keyBase64 has its bytes",
        },
        csv: { type: "boolean", help: "rows as redis-cli --csv psubscribe prints them" },
        gaps: {
          type: "boolean",
          help: "prints gaps to standard output, each at its place: as a line, as an object of " +
            'kind "gap", or as a row "gap",reason,node,slots,from,to,dropped. Without it they ' +
            "are reported on standard error",
        },
        flushes: {
          type: "boolean",
          help: "also prints when all keys of a server or a database were discarded (FLUSHALL, " +
            "FLUSHDB), each at its place. Needs the right to run CLIENT TRACKING",
        },
        "since-start": {
          type: "boolean",
          help: "the time since the start in place of the time of day; with --json besides it, " +
            "in ms, as sinceStart",
        },
      },
    },
    {
      title: "When to end",
      options: {
        for: { type: "string", value: "DURATION", help: "after 500ms, 30s, 5m, 2h" },
        count: {
          type: "string",
          value: "N",
          help: "after N notifications. With --for, the exit status is 1 when fewer came in " +
            "that time",
        },
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch watch 'user:*' 'order:*'",
    "keywatch watch --event expired --json -u redis://10.0.0.5/2",
    "keywatch watch 'cart:*' --field total -h 10.0.0.5 -p 6380",
    "keywatch watch order:1004 --event del --count 1 --for 30s",
  ],

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
      // Its type is that of an option that is given, which then says what the loop yields.
      const flushes = args.has("flushes") as true;
      const options = { clientName: "keywatch-watch", flushes };
      notifications = await open(target, selection, context, options);
      if (stopwatch !== null) stopwatch.start = Date.now();
      deadline = startDeadline(duration, context.signal);
      const { signal } = deadline;
      const where = target.db === "*" ? "all databases" : `database ${target.db}`;
      const nodes = formatNodes(notifications.status().nodes);
      output.note(`watching ${selection} on ${nodes}, ${where}; Ctrl-C ends it`, "gray");
      for (const line of format.head()) output.line(line);
      for await (const item of notifications.listen({ gaps: true, flushes, signal })) {
        if (item.kind === "gap") {
          if (args.has("gaps")) output.line(format.gap(item));
          else await noteInOrder(formatGap(item, clock), output, signal);
        } else if (item.kind === "flush") {
          output.line(format.flush(item));
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
