import type { Status } from "../mod.ts";
import type { Arguments, Command, Context } from "./command.ts";
import { CONNECTION, readTarget } from "./connection.ts";
import { formatNodes } from "./format.ts";
import { readDuration } from "./numbers.ts";
import { type Notes, openToStay, startDeadline } from "./open.ts";
import type { Output } from "./output.ts";
import { SELECTION, Selection } from "./selection.ts";
import { Browser, splitKeys } from "./top/browser.ts";
import { render } from "./top/render.ts";
import { Screen } from "./top/screen.ts";
import type { TopView } from "./top/view.ts";
import { toLine } from "./watch/json_format.ts";

/** How often the screen is drawn, in ms. */
const INTERVAL = 500;

/** For how long it looks where nobody says, and there is no screen, in ms. */
const DEFAULT_DURATION = 10_000;

/** How large the summary is where there is no screen. */
const SUMMARY = { columns: 80, rows: 48, footer: "" } as const;

/** How many news items are printed again at the end. */
const MOST_HELD = 100;

/** The command that shows live what happens. */
export const top: Command = {
  summary: "shows live how much happens, where, and to which keys",
  usage: "top [pattern…] [--event NAME] [--once] [--json] [--for DURATION] [options]",
  about: [
    "Shows live what happens: events a second by event and by prefix of the keys, the last " +
    "minute, the nodes and their states, and gaps. The prefixes are learned from the keys as " +
    "they come. If the output is not a terminal, it prints one summary at the end.",
    "Keys: q quits; space pauses and resumes; s sorts by rate, total or name; / filters rows by " +
    "a part of their names, or a glob; the arrows choose a prefix, enter counts what is below " +
    "it, and backspace goes back.",
  ],
  groups: [
    SELECTION,
    {
      title: "When to end",
      options: {
        for: {
          type: "string",
          value: "DURATION",
          help: "after 500ms, 30s, 5m, 2h. Default: when asked to; after 10s if the output is " +
            "not a terminal",
        },
        once: { type: "boolean", help: "prints one summary, also on a terminal" },
        json: { type: "boolean", help: "prints that summary as one object, for programs" },
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch top",
    "keywatch top 'session:*' --event expired -h 10.0.0.5",
    "keywatch top --once --json --for 1m",
  ],

  async run(args: Arguments, { output, signal }: Context): Promise<number> {
    const given = readDuration(args, "for");
    const isJson = args.has("json");
    const isOnScreen = output.isTerminal && !args.has("once") && !isJson;
    const target = await readTarget(args);
    const selection = Selection.read(args, target.db);
    const news = new News(output);
    const notifications = await openToStay(
      target,
      selection,
      { output: news, signal },
      { clientName: "keywatch-top" },
    );
    if (notifications === null) return 0;
    const where = target.db === "*" ? "all databases" : `database ${target.db}`;
    const what = `${selection} on ${formatNodes(notifications.status().nodes)}, ${where}`;
    const model = new Browser(what, Date.now());
    const deadline = startDeadline(
      given ?? (isOnScreen ? undefined : DEFAULT_DURATION),
      signal,
    );
    const gather = async (signal: AbortSignal) => {
      for await (const item of notifications.listen({ gaps: true, signal })) {
        if (item.kind === "gap") model.addGap(item);
        else if (selection.takes(item.eventType)) model.add(item, Date.now());
      }
    };
    try {
      if (isOnScreen) {
        news.holdFor(model);
        await onScreen(output, deadline.signal, gather, model, () => notifications.status());
      } else {
        output.note(`watching ${what}; Ctrl-C ends it`, "gray");
        await gather(deadline.signal);
        const { paint } = output;
        const summary = model.summary(notifications.status(), Date.now());
        if (isJson) output.line(toLine(toReport(summary)));
        else for (const line of render(summary, { ...SUMMARY, paint })) output.line(line);
      }
    } finally {
      deadline.release();
      // Results and notes are separate streams: a note that overtakes the end of the screen is lost.
      await output.flush(signal);
      news.release();
      await notifications.close();
    }
    return 0;
  },
};

/** The summary for programs: times in ms, rates by second. */
function toReport({ rateName: _, now, events, prefixes, ...view }: TopView): object {
  const rows = (all: TopView["events"]) =>
    all.map(({ name, rate, total }) => ({ name, rate, total }));
  return { at: now, ...view, events: rows(events), prefixes: rows(prefixes) };
}

/** Takes the screen while something is gathered, and draws it again and again. */
async function onScreen(
  output: Output,
  signal: AbortSignal,
  gather: (signal: AbortSignal) => Promise<void>,
  browser: Browser,
  status: () => Status,
): Promise<void> {
  const quit = new AbortController();
  const draw = () => {
    // A terminal that is behind gets the next picture in place of this one.
    if (output.isBusy) return;
    const { size } = screen;
    const { view, ...look } = browser.look(status(), Date.now(), size.rows);
    screen.draw(render(view, { ...size, ...look, paint: output.paint }));
  };
  const screen = new Screen((text) => output.write(text), {
    type: (typed) => {
      if (browser.type(splitKeys(typed), status(), Date.now())) quit.abort();
      else draw();
    },
    resize: draw,
  });
  const leave = () => screen.leave();
  const ended = AbortSignal.any([signal, quit.signal]);
  // At once, also where the end of all this takes a moment.
  ended.addEventListener("abort", leave);
  screen.enter();
  const timer = setInterval(draw, INTERVAL);
  try {
    draw();
    await gather(ended);
  } finally {
    clearInterval(timer);
    leave();
  }
}

/** News: shown with the rest while the screen is in use, and printed again afterwards. */
class News implements Notes {
  readonly #output: Output;
  readonly #held: Parameters<Notes["note"]>[] = [];
  #model: Browser | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  note(...args: Parameters<Notes["note"]>): void {
    if (this.#model === null) return this.#output.note(...args);
    this.#model.addNote(args[0]);
    this.#held.push(args);
    if (this.#held.length > MOST_HELD) this.#held.shift();
  }

  holdFor(model: Browser): void {
    this.#model = model;
  }

  release(): void {
    this.#model = null;
    for (const args of this.#held.splice(0)) this.#output.note(...args);
  }
}
