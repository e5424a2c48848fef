import type { Arguments, Command, Context } from "./command.ts";
import { CONNECTION, readTarget } from "./connection.ts";
import { formatNodes } from "./format.ts";
import { readDuration } from "./numbers.ts";
import { type Notes, openToStay, startDeadline } from "./open.ts";
import type { Output } from "./output.ts";
import { SELECTION, Selection } from "./selection.ts";
import { TopModel } from "./top/model.ts";
import { render } from "./top/render.ts";
import { Screen } from "./top/screen.ts";
import type { TopView } from "./top/view.ts";

/** How often the screen is drawn, in ms. */
const INTERVAL = 500;

/** For how long it looks where nobody says, and there is no screen, in ms. */
const DEFAULT_DURATION = 10_000;

/** How large the summary is where there is no screen. */
const SUMMARY = { columns: 80, rows: 48, footer: "" } as const;

/** How many news are told again at the end. */
const MOST_HELD = 100;

/** The command that shows live what happens. */
export const top: Command = {
  summary: "shows live how much happens, where, and to which keys",
  usage: "top [pattern…] [--event NAME] [--for DURATION] [options]",
  about: [
    "Shows live what happens: events a second by event and by prefix of the keys, the last " +
    "minute, the nodes and their states, and gaps. The prefixes are learned from the keys as " +
    "they come. If the output is not a terminal, it prints one summary at the end.",
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
      },
    },
    CONNECTION,
  ],
  examples: [
    "keywatch top",
    "keywatch top 'session:*' --event expired -h 10.0.0.5",
    "keywatch top --for 1m > summary.txt",
  ],

  async run(args: Arguments, { output, signal }: Context): Promise<number> {
    const given = readDuration(args, "for");
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
    const model = new TopModel(what, Date.now());
    const deadline = startDeadline(
      given ?? (output.isTerminal ? undefined : DEFAULT_DURATION),
      signal,
    );
    const gather = async (signal: AbortSignal) => {
      for await (const item of notifications.listen({ gaps: true, signal })) {
        if (item.kind === "gap") model.addGap(item);
        else if (selection.takes(item.eventType)) model.add(item, Date.now());
      }
    };
    try {
      if (output.isTerminal) {
        news.holdFor(model);
        await onScreen(output, deadline.signal, gather, () => {
          return model.view(notifications.status(), Date.now());
        });
      } else {
        output.note(`watching ${what}; Ctrl-C ends it`, "gray");
        await gather(deadline.signal);
        const { paint } = output;
        const summary = model.summary(notifications.status(), Date.now());
        for (const line of render(summary, { ...SUMMARY, paint })) output.line(line);
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

/** Takes the screen while something is gathered, and draws it again and again. */
async function onScreen(
  output: Output,
  signal: AbortSignal,
  gather: (signal: AbortSignal) => Promise<void>,
  view: () => TopView,
): Promise<void> {
  const quit = new AbortController();
  const draw = () => {
    // A terminal that is behind gets the next picture in place of this one.
    if (output.isBusy) return;
    screen.draw(render(view(), { ...screen.size, paint: output.paint, footer: "q quits" }));
  };
  const screen = new Screen((text) => output.write(text), {
    quit: () => quit.abort(),
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

/** News: shown with the rest as long as the screen is taken, and told again when it is given back. */
class News implements Notes {
  readonly #output: Output;
  readonly #held: Parameters<Notes["note"]>[] = [];
  #model: TopModel | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  note(...args: Parameters<Notes["note"]>): void {
    if (this.#model === null) return this.#output.note(...args);
    this.#model.addNote(args[0]);
    this.#held.push(args);
    if (this.#held.length > MOST_HELD) this.#held.shift();
  }

  holdFor(model: TopModel): void {
    this.#model = model;
  }

  release(): void {
    this.#model = null;
    for (const args of this.#held.splice(0)) this.#output.note(...args);
  }
}
