import { countSlots, formatSlots } from "../../cluster/discovery/mod.ts";
import { timeOfDay } from "../clock.ts";
import { eventStyle } from "../event_style.ts";
import { printable } from "../../pubsub/connection/printable.ts";
import type { Paint, Style } from "../style.ts";
import { wrap } from "../wrap.ts";
import { bar, columnChart } from "./chart.ts";
import { formatCount, formatDuration, formatRate } from "./numbers.ts";
import type { NodeView, Size, TopRow, TopView } from "./view.ts";
import { fit, textWidth } from "./width.ts";

/** Below this width the two tables stand under each other. */
const TWO_TABLES = 72;

const RATE_WIDTH = 7;
const TOTAL_WIDTH = 7;
/** How many gaps and news are shown, and the same on a tall screen. */
const MOST_GAPS = { low: 3, tall: 8 };
const MOST_NOTES = { low: 2, tall: 5 };
/** A screen of so many lines is tall. */
const TALL = 40;
const LEAST_ROWS = 3;

/** A piece of a line with its look; what does not fit is cut. */
type Piece = readonly [text: string, style?: Style];

/** What to draw on, and how. */
export interface Canvas extends Size {
  /** Colours, where these are shown. */
  readonly paint: Paint;
  /** The last line: what the keys do. Empty where there are none. */
  readonly footer: string;
  /** Which row of the keys is chosen. Default: none. */
  readonly selected?: number | null;
}

/**
 * Draws what `top` shows.
 *
 * @returns at most as many lines as fit, none wider than one column less than there are: what is
 * written into the last one, some terminals do not leave there
 */
export function render(view: TopView, canvas: Canvas): string[] {
  const width = Math.max(1, canvas.columns - 1);
  const { paint, rows: height } = canvas;
  const draw = (...pieces: Piece[]) => drawLine(pieces, width, paint);
  const title = draw(...titleOf(view, width));
  const footStyle = canvas.footer.startsWith("PAUSED") ? "yellow" : "gray";
  const foot = canvas.footer === ""
    ? []
    : ["", ...wrap(printable(canvas.footer), " ", width).map((line) => draw([line, footStyle]))];
  const nodes = nodeLines(view, width, height).map((pieces) => draw(...pieces));
  const size = height >= TALL ? "tall" : "low";
  const gaps = gapLines(view, MOST_GAPS[size]).map((pieces) => draw(...pieces));
  const notes = view.notes.slice(0, MOST_NOTES[size]).map((note) =>
    draw([` ${printable(note)}`, "yellow"])
  );
  const lower = [
    ...section(nodes),
    ...section(gaps),
    ...section(notes),
    ...foot,
  ];
  // What is left goes to the chart and the tables.
  const free = height - 2 - lower.length;
  const chartHeight = free >= TALL ? 8 : free >= 14 ? 4 : free >= 10 ? 2 : 1;
  const upper = [title, "", ...summary(view, chartHeight, width).map((line) => draw(...line)), ""];
  const left = Math.max(LEAST_ROWS, height - upper.length - lower.length);
  const tables = tableLines(view, left, width, canvas.selected ?? null).map((pieces) =>
    draw(...pieces)
  );
  return [...upper, ...tables, ...lower].slice(0, height);
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Puts pieces beside each other, as far as there is room. */
function drawLine(pieces: readonly Piece[], width: number, paint: Paint): string {
  let line = "";
  let left = width;
  for (const [text, style] of pieces) {
    if (left <= 0) break;
    const own = textWidth(text);
    const shown = own <= left ? text : fit(text, left);
    line += style === undefined || shown.trim() === "" ? shown : paint(style, shown);
    left -= Math.min(own, left);
  }
  return line.trimEnd();
}

function titleOf({ what, elapsed }: TopView, width: number): Piece[] {
  const name = " keywatch top ";
  const time = ` ${formatDuration(elapsed)} `;
  const room = width - textWidth(name) - textWidth(time);
  return [[name, ["bold", "inverse"]], [fit(` ${printable(what)}`, room)], [time, "gray"]];
}

function summary(view: TopView, height: number, width: number): Piece[][] {
  const { rate, rateName, mean, peak, total, gapCount, dropped, seconds } = view;
  const figures: [value: string, style: Style, name: string][] = [
    [`${formatRate(rate)}/s`, ["bold", "green"], rateName],
    [`${formatRate(mean)}/s`, "bold", "last minute"],
    [formatCount(total), "bold", "in all"],
    [
      formatCount(gapCount),
      gapCount > 0 ? ["bold", "yellow"] : "bold",
      gapCount === 1 ? "gap" : "gaps",
    ],
    ...(dropped === 0
      ? []
      : [[formatCount(dropped), "yellow", "dropped"] as [string, Style, string]]),
  ];
  const own = figures.reduce((sum, [value, , name]) => sum + value.length + 1 + name.length, 0);
  const space = " ".repeat(own + 1 + 4 * (figures.length - 1) > width ? 2 : 4);
  const line = figures.flatMap(([value, style, name], i): Piece[] => [
    [i === 0 ? " " : space],
    [value, style],
    [` ${name}`],
  ]);
  const room = Math.max(1, width - 1 - SCALE_WIDTH);
  const shown = seconds.slice(-room);
  const chart = columnChart(shown, height, peak).map((columns, i): Piece[] => [
    [" "],
    [columns, "green"],
    [i === 0 ? ` ${formatCount(peak)}/s` : i === height - 1 ? " 0" : "", "gray"],
  ]);
  return [line, [], ...chart];
}

const SCALE_WIDTH = " 99,999/s".length;

/** The two tables beside each other where there is room, otherwise one under the other. */
function tableLines(
  view: TopView,
  height: number,
  width: number,
  selected: number | null,
): Piece[][] {
  const events = (rows: number, columns: number) =>
    table("EVENT", view.events, rows, columns, null, ({ name }) => eventStyle(name));
  const prefixes = (rows: number, columns: number) =>
    table("KEYS", view.prefixes, rows, columns, selected, () => "cyan");
  if (width >= TWO_TABLES) {
    const half = Math.floor((width - 2) / 2);
    const rows = Math.max(
      1,
      Math.min(height - 1, Math.max(view.events.length, view.prefixes.length)),
    );
    const right = prefixes(rows, half);
    return events(rows, half).map((line, i) => [...line, ["  "], ...right[i]!]);
  }
  const shares = Math.max(1, Math.floor((height - 3) / 2));
  const rows = (all: readonly TopRow[]) => Math.min(shares, Math.max(1, all.length));
  return [...events(rows(view.events), width), [], ...prefixes(rows(view.prefixes), width)];
}

function table(
  title: string,
  rows: readonly TopRow[],
  height: number,
  width: number,
  selected: number | null,
  styleOf: (row: TopRow) => Style,
): Piece[][] {
  const barWidth = Math.max(0, Math.min(12, width - 32));
  const nameWidth = width - 1 - RATE_WIDTH - TOTAL_WIDTH - (barWidth === 0 ? 0 : barWidth + 1);
  const most = Math.max(0, ...rows.map(({ rate }) => rate));
  // The chosen row is always among those that are shown.
  const first = selected === null ? 0 : Math.max(0, selected - height + 1);
  const line = (name: string, rate: string, total: string): string =>
    ` ${fit(name, nameWidth)}${rate.padStart(RATE_WIDTH)}${total.padStart(TOTAL_WIDTH)}`;
  const lines: Piece[][] = [[[fit(line(title, "/s", "in all"), width), "gray"]]];
  for (let i = 0; i < height; i++) {
    const row = rows[first + i];
    if (row === undefined) {
      lines.push([[fit(rows.length === 0 ? " nothing yet" : "", width), "gray"]]);
      continue;
    }
    const isChosen = first + i === selected;
    const cells = line("", formatRate(row.rate), formatCount(row.total)).slice(nameWidth + 1);
    lines.push([
      [
        `${isChosen ? "›" : " "}${fit(printable(row.name), nameWidth)}`,
        isChosen ? "inverse" : styleOf(row),
      ],
      [cells],
      ...(barWidth === 0
        ? []
        : [[" "], [fit(bar(row.rate, most, barWidth), barWidth), styleOf(row)]] as Piece[]),
    ]);
  }
  return lines;
}

const STATES: Readonly<Record<NodeView["state"], readonly [mark: string, style: Style]>> = {
  ready: ["●", "green"],
  connecting: ["○", "yellow"],
  degraded: ["◐", "yellow"],
  reconnecting: ["○", "red"],
  closed: ["○", "red"],
};

function nodeLines(view: TopView, width: number, height: number): Piece[][] {
  const { nodes, uncovered } = view;
  const most = Math.max(1, Math.floor(height / 4));
  // Those with trouble first: they are what one looks for.
  const sorted = nodes.toSorted((a, b) =>
    Number(a.state === "ready") - Number(b.state === "ready")
  );
  const nameWidth = Math.min(
    Math.max(...nodes.map(({ node }) => textWidth(printable(node)))),
    Math.max(10, Math.floor(width / 3)),
  );
  const lines = sorted.slice(0, most).map((node): Piece[] => [
    [" "],
    [STATES[node.state][0], STATES[node.state][1]],
    [` ${fit(printable(node.node), nameWidth)}  `],
    ...nodePieces(node, view.now),
  ]);
  if (sorted.length > most) lines.push([[`   and ${sorted.length - most} more nodes`, "gray"]]);
  if (uncovered.length > 0) {
    const count = countSlots(uncovered);
    lines.push([[` ! ${formatCount(count)} slots are watched by nobody`, "red"]]);
  }
  return lines;
}

function nodePieces(node: NodeView, now: number): Piece[] {
  const { state, since, error, software, version, protocol, flags, slots, rate } = node;
  if (state === "ready") {
    const what = [software ?? "", version ?? ""].join(" ").trim();
    const facts = [
      ...(what === "" ? [] : [what]),
      ...(protocol === null ? [] : [`RESP${protocol}`]),
      ...(flags === null || flags === "unknown" ? [] : [`flags ${flags}`]),
      ...(slots === undefined || slots.length === 0 ? [] : [slotsOf(slots)]),
    ];
    return [[`${formatRate(rate).padStart(6)}/s  `], [printable(facts.join("  ")), "gray"]];
  }
  const why = error === null ? "" : `: ${error}`;
  return [[printable(`${state} for ${formatDuration(now - since)}${why}`), STATES[state][1]]];
}

function slotsOf(slots: NonNullable<NodeView["slots"]>): string {
  return slots.length > 2
    ? `${formatCount(countSlots(slots))} slots`
    : `slots ${formatSlots(slots)}`;
}

function gapLines({ gaps, gapCount }: TopView, most: number): Piece[][] {
  const lines = gaps.slice(0, most).map(
    ({ from, to, node, reason, slots, dropped }): Piece[] => {
      const lost = dropped === undefined ? "" : `  ${formatCount(dropped)} dropped`;
      const which = slots === undefined ? "" : `  ${slotsOf(slots)}`;
      return [
        [` ${timeOfDay.format(from).slice(0, 8)}  `, "gray"],
        [`gap of ${formatDuration(to - from)}`, "yellow"],
        [`  ${printable(node)}  ${reason}${which}${lost}`],
      ];
    },
  );
  const more = gapCount - lines.length;
  if (lines.length > 0 && more > 0) lines.push([[`   and ${formatCount(more)} before`, "gray"]]);
  return lines;
}
