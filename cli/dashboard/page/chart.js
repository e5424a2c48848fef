/**
 * The chart: a stacked bar for each second, and hatched bands where gaps fell. Drawn anew each time,
 * as one path for each kind.
 */

const SVG = "http://www.w3.org/2000/svg";
/** Around the bars, in px; above them is the lane of the gaps' names. */
const MARGIN = { left: 38, right: 6, top: 24, bottom: 22 };
/** A gap is never drawn narrower, in px. */
const NARROWEST = 3;

/** Numbers that fit beside the chart. */
const short = new Intl.NumberFormat("en", { notation: "compact" }).format;

function element(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A step between lines of the grid, of which some four reach up to `most`. */
function stepFor(most) {
  const rough = Math.max(most / 4, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

export function clock(time, digits = 0) {
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  const text = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return digits ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function duration(ms) {
  return ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A bar is not narrower, in px. */
const THINNEST = 4;
const SLOTS = 16_384;

/** How many seconds a bar stands for, so that bars are wide enough to be seen. */
export function stepOf(svg, span) {
  const most = Math.max(1, (svg.clientWidth - MARGIN.left - MARGIN.right) / THINNEST);
  return [1, 2, 5, 10, 15, 30, 60].find((step) => span / step <= most) ?? 60;
}

/** What lies where: times to places and back. */
export function scaleOf(svg, now, span) {
  const length = span * 1_000;
  const width = svg.clientWidth - MARGIN.left - MARGIN.right;
  const start = now - length;
  return {
    start,
    x: (time) => MARGIN.left + (time - start) / length * width,
    time: (x) => start + (x - MARGIN.left) / width * length,
  };
}

/** The counts of each bar, by the second it begins with; kinds that are hidden count nothing. */
function barsOf(seconds, step, from, hidden) {
  const bars = new Map();
  for (const [second, counts] of seconds) {
    const begin = second - second % step;
    if (begin + step <= from) continue;
    let bar = bars.get(begin);
    if (!bar) bars.set(begin, bar = counts.map(() => 0));
    counts.forEach((count, i) => bar[i] += hidden[i] ? 0 : count);
  }
  return [...bars];
}

/**
 * Draws what is known at a time.
 *
 * @param svg where
 * @param kinds the kinds of events, from the bottom up
 * @param hidden which of them are left out
 * @param seconds counts by kind, of each second since the epoch
 * @param gaps those that were reported, and those that last, which have no `to`
 * @param now the right end, in ms since the epoch
 * @param cursor the second that is pointed at, or null
 * @param span how many seconds are shown
 */
export function drawChart(svg, { kinds, hidden, seconds, gaps, now, cursor, span }) {
  const { clientWidth: width, clientHeight: height } = svg;
  const { x, start } = scaleOf(svg, now, span);
  const floor = height - MARGIN.bottom;
  const length = stepOf(svg, span);
  const shown = barsOf(seconds, length, start / 1_000, hidden);
  const sums = shown.map(([, counts]) => counts.reduce((sum, count) => sum + count, 0));
  const most = Math.max(0, ...sums);
  const step = stepFor(most);
  const top = Math.max(step * Math.ceil(most / step), 4);
  const y = (count) => floor - count / top * (floor - MARGIN.top);

  const parts = [hatch()];
  for (const gap of visible(gaps, start, now)) parts.push(bandOf(gap, x, now, floor));
  for (let count = 0; count <= top; count += step) {
    const line = { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(count), y2: y(count) };
    parts.push(element("line", { ...line, class: count === 0 ? "base" : "grid" }));
    const place = { x: MARGIN.left - 6, y: y(count) + 4, "text-anchor": "end" };
    parts.push(element("text", place, short(count)));
  }
  parts.push(...bars(kinds, shown, length, now, x, y));
  parts.push(...edges(visible(gaps, start, now), x, now, floor));
  parts.push(...times(start, now, span, x, height, width));
  parts.push(...names(visible(gaps, start, now), x, now, width));
  if (cursor !== null) {
    const middle = x(cursor * 1_000 + length * 500);
    const line = { x1: middle, x2: middle, y1: MARGIN.top, y2: floor, class: "cursor" };
    parts.push(element("line", line));
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...parts);

  const events = sums.reduce((sum, count) => sum + count, 0);
  const count = visible(gaps, start, now).length;
  svg.setAttribute(
    "aria-label",
    `The last ${span} seconds: ${events} events, at most ${most} in ` +
      `${length === 1 ? "one second" : `${length} seconds`}, ` +
      `${count} ${count === 1 ? "gap" : "gaps"}. The arrow keys go through the bars.`,
  );
}

function visible(gaps, start, now) {
  return gaps.filter(({ to = now }) => to > start);
}

function hatch() {
  const size = { width: 6, height: 6 };
  const pattern = element("pattern", { id: "hatch", ...size, patternUnits: "userSpaceOnUse" });
  pattern.append(element("rect", size), element("path", { d: "M-1 7 7 -1 M-1 1 1 -1 M5 7 7 5" }));
  const defs = element("defs");
  defs.append(pattern);
  return defs;
}

/** The ends of a gap's band. */
function ends({ from, to = Infinity }, x, now) {
  const left = Math.max(MARGIN.left, x(from));
  return { left, right: Math.max(left + NARROWEST, x(Math.min(to, now))) };
}

/** The share of the slots that a gap is of, from the top to the bottom of the chart. */
function sharesOf({ slots }, floor) {
  const top = MARGIN.top;
  if (!slots?.length) return [{ y: top, height: floor - top }];
  return slots.map(({ first, last }) => {
    const y = top + first / SLOTS * (floor - top);
    return { y, height: Math.max(2, (last - first + 1) / SLOTS * (floor - top)) };
  });
}

function bandOf(gap, x, now, floor) {
  const { left, right } = ends(gap, x, now);
  const band = element("g", { class: "gap", "data-from": gap.from, "data-to": gap.to ?? "" });
  for (const share of sharesOf(gap, floor)) {
    band.append(element("rect", { x: left, width: right - left, ...share }));
  }
  band.append(element("title", {}, `gap: ${gap.reason}`));
  return band;
}

/** Where gaps begin and end, over the bars, which may hide a narrow band. */
function edges(gaps, x, now, floor) {
  return gaps.map((gap) => {
    const { left, right } = ends(gap, x, now);
    const lines = element("g", { class: "gap" });
    const narrow = right - left < 2 * NARROWEST;
    for (
      const at of narrow ? [(left + right) / 2] : gap.to === undefined ? [left] : [left, right]
    ) {
      lines.append(element("line", { x1: at, x2: at, y1: 4, y2: floor }));
    }
    return lines;
  });
}

/** The names of gaps above them, those that have room. */
function names(gaps, x, now, width) {
  const made = [];
  const bands = gaps.toSorted((a, b) => a.from - b.from).map((gap) => [gap, ends(gap, x, now)]);
  let taken = MARGIN.left;
  for (const [gap, { left, right }] of bands) {
    const text = `${gap.reason} ${duration((gap.to ?? now) - gap.from)}`;
    const room = text.length * 7.2;
    const free = (from) =>
      from >= taken && from + room < width && !bands.some(([, band]) => {
        return band.left < from + room && band.right > from;
      });
    const start = [right + 5, left - 5 - room].find(free);
    if (start === undefined) continue;
    taken = start + room + 8;
    const before = start < left;
    const place = { x: before ? left - 5 : start, "text-anchor": before ? "end" : "start", y: 16 };
    const name = element("g", { class: "gap" });
    name.append(element("text", place, text));
    made.push(name);
  }
  return made;
}

function bars(kinds, shown, length, now, x, y) {
  const paths = kinds.map(() => "");
  for (const [second, counts] of shown) {
    const left = Math.max(MARGIN.left, x(second * 1_000) + 0.5);
    // The bar that grows is as wide as it has lasted.
    const right = Math.min(x(now), x((second + length) * 1_000) - 0.5);
    if (right <= left) continue;
    let below = 0;
    counts.forEach((count, i) => {
      if (count === 0) return;
      const [low, high] = [y(below), y(below + count)];
      paths[i] += `M${left.toFixed(1)} ${low.toFixed(1)}V${high.toFixed(1)}` +
        `H${right.toFixed(1)}V${low.toFixed(1)}Z`;
      below += count;
    });
  }
  return paths.flatMap((d, i) => {
    if (!d) return [];
    const path = element("path", { d, "data-kind": kinds[i] });
    path.style.fill = `var(--${kinds[i]})`;
    return [path];
  });
}

function times(start, now, span, x, height, width) {
  const made = [];
  const most = Math.max(2, (width - MARGIN.left) / 96);
  const steps = [10, 20, 60, 120, 300, 600, 1_800];
  const apart = (steps.find((step) => span / step <= most) ?? 1_800) * 1_000;
  for (let time = Math.ceil(start / apart) * apart; time < now; time += apart) {
    const at = x(time);
    if (at < MARGIN.left + 24 || at > x(now) - 24) continue;
    made.push(element("text", { x: at, y: height - 6, "text-anchor": "middle" }, clock(time)));
  }
  return made;
}
