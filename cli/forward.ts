import { formatAddress, type KeyNotification } from "../mod.ts";
import { type Arguments, type Command, type Context, UsageError } from "./command.ts";
import { CONNECTION, readOtherTarget, readTarget } from "./connection.ts";
import { formatNodes } from "./format.ts";
import { ExecSink } from "./forward/exec_sink.ts";
import { pump } from "./forward/pump.ts";
import type { Sink } from "./forward/sink.ts";
import { StreamSink, type StreamSinkOptions } from "./forward/stream_sink.ts";
import { Template } from "./forward/template.ts";
import { readCount, readDuration } from "./numbers.ts";
import { openToStay, startDeadline } from "./open.ts";
import { SELECTION, Selection } from "./selection.ts";

/** How many entries a stream keeps, about, where nobody says. */
const DEFAULT_LENGTH = 100_000;

/** How long entries are still tried to be written after an interrupt, in ms. */
const GRACE = 10_000;

/** The command that hands notifications on. */
export const forward: Command = {
  summary: "writes notifications into a stream, or runs a command for each",
  usage: "forward [pattern…] (--to-stream KEY | --exec COMMAND) [options]",
  about: [
    "Hands on notifications until Ctrl-C. What it has received when it is asked to end is still " +
    "handed on; a second Ctrl-C gives that up.",
    "--to-stream writes an entry for each notification, in order. Entries stay until consumers " +
    "of a group have acknowledged them (XREADGROUP, XACK). Fields: kind (event, gap or flush), " +
    "event, key, db, at, and in clusters node. A gap has reason, node, from, to, slots and " +
    "dropped, and its place in the order; the first entry of each run is a gap with the reason " +
    "start. An entry that the server did not confirm is written again: two entries with the same " +
    "seq are the same.",
    "--exec runs a program for each notification, without a shell. It replaces {key}, {event}, " +
    "{db}, {at}, {node} and {kind} in its arguments; whatever a key holds, it stays one argument. " +
    "The program gets the notification as JSON on standard input, as watch --json prints it. " +
    "Gaps are reported on standard error. The exit status is 1 if a command failed.",
  ],
  groups: [
    SELECTION,
    {
      title: "Where to",
      options: {
        "to-stream": { type: "string", value: "KEY", help: "the key of the stream" },
        "to-url": {
          type: "string",
          value: "URL",
          help: "the server of the stream. Default: the one that is watched",
        },
        maxlen: {
          type: "string",
          value: "N",
          help: `about how many entries the stream keeps. Default: ${DEFAULT_LENGTH}`,
        },
        exec: { type: "string", value: "COMMAND", help: "the command, as 'program {key}'" },
        shell: {
          type: "boolean",
          help: 'runs the command of --exec by sh, with the values as variables: "$key", ' +
            '"$event" and so on',
        },
        jobs: {
          type: "string",
          value: "N",
          help: "how many commands run at the same time. Default: 1, which keeps the order",
        },
        timeout: {
          type: "string",
          value: "DURATION",
          help: "after how long a command is killed. Default: never",
        },
        flushes: {
          type: "boolean",
          help: "also hands on when all keys of a server or a database were discarded",
        },
      },
    },
    {
      title: "When to end",
      options: {
        for: { type: "string", value: "DURATION", help: "after 500ms, 30s, 5m, 2h" },
        count: { type: "string", value: "N", help: "after N notifications" },
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch forward --event expired --to-stream events",
    "keywatch forward 'job:*' --to-stream jobs --to-url redis://10.0.0.6",
    "keywatch forward 'cache:*' --exec 'purge-page -- {key}' --jobs 4",
    "keywatch forward --event expired --shell --exec 'echo \"$key\" >> gone'",
  ],

  async run(args: Arguments, context: Context): Promise<number> {
    const { output } = context;
    const duration = readDuration(args, "for");
    const count = readCount(args, "count") ?? Infinity;
    const giveUp = new AbortController();
    const makeSink = readSink(args);
    const target = await readTarget(args);
    const selection = Selection.read(args, target.db);
    const toUrl = args.text("to-url");
    const sinkTarget = toUrl === undefined ? target : await readOtherTarget(args, "to-url", toUrl);
    const flushes = args.has("flushes");
    const options = { clientName: "keywatch-forward", flushes };
    const notifications = await openToStay(target, selection, context, options);
    if (notifications === null) return 0;
    const deadline = startDeadline(duration, context.signal);
    const { signal } = deadline;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => timer = setTimeout(() => giveUp.abort(), GRACE);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    const otherNodes = () =>
      toUrl === undefined ? notifications.status().nodes.map(({ node }) => node) : [];
    const sink = makeSink({ target: sinkTarget, otherNodes, output, signal: giveUp.signal });
    let hasSucceeded = false;
    try {
      await sink.start();
      const nodes = formatNodes(notifications.status().nodes);
      output.note(`forwarding ${selection} on ${nodes} to ${sink.name}; Ctrl-C ends it`, "gray");
      // What it writes causes events of its own, which would be written in turn.
      const where = formatAddress(sinkTarget.address);
      const isWatched = toUrl === undefined || where === formatAddress(target.address) ||
        notifications.status().nodes.some(({ node }) => node === where);
      const isOwn = ({ key, database }: KeyNotification) =>
        isWatched && key === args.text("to-stream") &&
        database === (sinkTarget.db === "*" ? 0 : sinkTarget.db);
      await pump(notifications, sink, {
        flushes,
        signal,
        count,
        takes: (item) => selection.takes(item.eventType) && !isOwn(item),
      });
    } finally {
      try {
        hasSucceeded = await sink.end();
      } finally {
        signal.removeEventListener("abort", end);
        clearTimeout(timer);
        deadline.release();
        await notifications.close();
      }
    }
    return hasSucceeded ? 0 : 1;
  },
};

/** What is needed to make a sink once there is a connection. */
type SinkOptions = Omit<StreamSinkOptions, "stream" | "length">;

/**
 * Reads where notifications go.
 *
 * @throws {UsageError} when that makes no sense
 */
function readSink(args: Arguments): (options: SinkOptions) => Sink {
  const stream = args.text("to-stream");
  const exec = args.text("exec");
  if ((stream === undefined) === (exec === undefined)) {
    throw new UsageError("forward takes either --to-stream or --exec");
  }
  const unused = (exec === undefined ? OF_EXEC : OF_STREAM).find((name) =>
    args.has(name) || args.text(name) !== undefined
  );
  if (unused !== undefined) {
    const other = exec === undefined ? "exec" : "to-stream";
    throw new UsageError(`--${unused} goes with --${other}`);
  }
  if (stream !== undefined) {
    if (stream === "") throw new UsageError("--to-stream takes the key of a stream");
    const length = readCount(args, "maxlen") ?? DEFAULT_LENGTH;
    return (options) => new StreamSink({ ...options, stream, length });
  }
  const command = readCommand(exec!, args.has("shell"));
  const jobs = readCount(args, "jobs") ?? 1;
  const timeout = readDuration(args, "timeout");
  return ({ output }) => new ExecSink({ command, jobs, timeout, output });
}

const OF_STREAM = ["to-url", "maxlen"];
const OF_EXEC = ["shell", "jobs", "timeout"];

function readCommand(text: string, isShell: boolean): Template | string {
  if (!isShell) return Template.parse(text);
  if (text.trim() === "") throw new UsageError("--exec lacks a command");
  const [placeholder] = /\{(?:key|event|db|at|node|kind)\}/.exec(text) ?? [];
  if (placeholder === undefined) return text;
  throw new UsageError(
    `with --shell, write "$${placeholder.slice(1, -1)}" in place of ${placeholder}: as a part of ` +
      "the script, a key could run commands of its own",
  );
}
