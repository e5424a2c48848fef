/** The page: takes what the server tells, and shows it. Keys are text here, never markup. */
import { clock, drawChart, duration, scaleOf, spanOf } from "./chart.js";

/** How many events are listed. */
const LISTED = 24;
/** How many gaps are listed. */
const GAPS_LISTED = 6;
const SLOTS = 16_384;

const at = (id) => document.getElementById(id);
const svg = at("chart");
const number = new Intl.NumberFormat("en").format;

let kinds = [];
let seconds = new Map();
let items = [];
let gaps = [];
let status = null;
let events = 0;
let now = Date.now();
/** The second that is pointed at, or null. */
let cursor = null;
let paused = false;

function make(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function swatch(kind) {
  const made = make("span", "swatch");
  made.style.setProperty("--kind", `var(--${kind})`);
  return made;
}

function spans(slots) {
  return slots.map(({ first, last }) => first === last ? first : `${first}\u2060–\u2060${last}`)
    .join(", ");
}

function size(slots) {
  return slots.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

function take(update) {
  now = update.now;
  events = update.events;
  status = update.status;
  for (const [second, counts] of update.seconds) seconds.set(second, counts);
  for (const second of seconds.keys()) if (second < now / 1_000 - 300) seconds.delete(second);
  if (update.skipped > 0) items.push({ type: "more", count: update.skipped });
  items.push(...update.items);
  items = items.slice(-LISTED);
  gaps = [...gaps, ...update.items.filter(({ type }) => type === "gap")].slice(-40);
  if (!paused) show();
}

/** The gaps that are not over: of nodes that are away now. */
function lasting() {
  return (status?.nodes ?? []).filter(({ state }) => state !== "ready" && state !== "connecting")
    .map(({ since, state }) => ({ from: since, reason: state }));
}

function show() {
  showState(status.health.ok ? "ready" : "incomplete", status.health.reason);
  showFigures();
  showLegend();
  drawChart(svg, { kinds, seconds, gaps: [...gaps, ...lasting()], now, cursor });
  at("items").replaceChildren(...items.toReversed().map(itemRow));
  at("gaps").replaceChildren(...gaps.slice(-GAPS_LISTED).toReversed().map(gapRow));
  showSlots();
  at("nodes").replaceChildren(...status.nodes.map(nodeRow));
  if (cursor !== null) showTip();
}

function showState(state, text) {
  at("state").dataset.state = state;
  if (at("state").textContent !== text) at("state").textContent = text;
}

function showFigures() {
  const { nodes, slots, dropped } = status;
  const last = seconds.get(Math.floor(now / 1_000) - 1) ?? [];
  const ready = nodes.filter(({ state }) => state === "ready").length;
  const covered = slots ? size(slots.covered) : ready;
  const all = slots ? SLOTS : nodes.length;
  const share = slots ? `${Math.floor(covered / all * 1_000) / 10} %` : `${covered} of ${all}`;
  at("rate").textContent = number(last.reduce((sum, count) => sum + count, 0));
  at("events").textContent = number(events);
  at("gap-count").textContent = number(status.gaps);
  at("gap-count").previousElementSibling.textContent = status.gaps === 1 ? "gap" : "gaps";
  at("dropped").textContent = number(dropped);
  at("covered").textContent = share;
  at("covered-name").textContent = slots ? "slots covered" : "nodes covered";
  at("gap-count").parentElement.classList.toggle("bad", status.gaps > 0);
  at("dropped").parentElement.classList.toggle("bad", dropped > 0);
  at("covered").parentElement.classList.toggle("bad", covered < all);
}

function showLegend() {
  const from = now / 1_000 - spanOf(svg);
  const sums = kinds.map(() => 0);
  for (const [second, counts] of seconds) {
    if (second >= from) counts.forEach((count, i) => sums[i] += count);
  }
  const entries = kinds.map((kind, i) => {
    const className = sums[i] === 0 ? "none" : "";
    return make("li", className, swatch(kind), `${kind} `, make("b", "", number(sums[i])));
  });
  const hatched = make("span", "swatch hatch");
  at("legend").replaceChildren(...entries, make("li", "", hatched, "gap"));
}

function timeOf(time) {
  const [seconds, ms] = clock(time, 3).split(".");
  const made = make("time", "", seconds, make("span", "ms", `.${ms}`));
  made.dateTime = new Date(time).toISOString();
  return made;
}

function itemRow(item) {
  if (item.type === "more") return make("li", "more", `and ${number(item.count)} more`);
  if (item.type === "gap") {
    const text = `gap of ${duration(item.to - item.from)}, ${item.reason}, ${item.node}`;
    return make("li", "gap", timeOf(item.from), make("span", "", text));
  }
  const key = make("span", "key", item.key);
  key.title = item.key;
  const where = item.node === null ? `db ${item.database}` : item.node;
  const event = make("span", "event", swatch(item.kind), item.event);
  return make("li", "", timeOf(item.at), event, key, make("span", "quiet where", where));
}

function gapRow({ from, to, reason, node, slots, dropped }) {
  const more = [node];
  if (slots) more.push(`slots ${spans(slots)}`);
  if (dropped !== undefined) more.push(`${number(dropped)} dropped`);
  const text = `${reason}, ${duration(to - from)}`;
  const quiet = make("span", "quiet", timeOf(from), ` · ${more.join(" · ")}`);
  return make("li", "", make("span", "", text, quiet));
}

function showSlots() {
  const strip = at("slots");
  strip.hidden = !status.slots;
  if (!status.slots) return;
  const { covered, uncovered } = status.slots;
  const owned = status.nodes.filter(({ state }) => state === "ready").flatMap((node) => node.slots);
  strip.replaceChildren(
    ...covered.map((span) => part("covered", span)),
    ...owned.map((span) => part("owned", span)),
  );
  const missing = uncovered.length ? `, not ${spans(uncovered)}` : "";
  const label = `${number(size(covered))} of ${number(SLOTS)} hash slots are covered${missing}`;
  strip.setAttribute("aria-label", label);
  strip.title = label;
}

/** A stretch of the slots, drawn to scale. */
function part(className, { first, last }) {
  const made = make("span", className);
  made.style.left = `${first / SLOTS * 100}%`;
  made.style.width = `${(last - first + 1) / SLOTS * 100}%`;
  return made;
}

function nodeRow(node) {
  const { state, since, error, software, version, role, protocol, messages, lastMessage } = node;
  const ready = state === "ready";
  const shown = ready ? "✓ ready" : `! ${state} for ${duration(now - since)}`;
  const about = [software && `${software} ${version}`, role, protocol && `RESP${protocol}`];
  if (node.slots?.length > 4) about.push(`${number(size(node.slots))} slots`);
  else if (node.slots?.length > 0) about.push(`slots ${spans(node.slots)}`);
  const heard = [`${number(messages)} messages`];
  if (lastMessage !== null) heard.push(`the last ${duration(Math.max(0, now - lastMessage))} ago`);
  return make(
    "li",
    ready ? "" : "away",
    make("div", "name", node.node, make("span", "", shown)),
    make("p", "quiet", about.filter(Boolean).join(" · ")),
    make("p", "quiet", ready ? heard.join(", ") : error ?? heard.join(", ")),
  );
}

function showTip() {
  const tip = at("tip");
  tip.hidden = cursor === null;
  if (cursor === null) return;
  const counts = seconds.get(cursor) ?? [];
  const lines = kinds.flatMap((kind, i) => {
    return counts[i]
      ? [make("p", "", make("span", "", swatch(kind), kind), number(counts[i]))]
      : [];
  });
  const [begin, end] = [cursor * 1_000, cursor * 1_000 + 1_000];
  for (const { from, to = now, reason } of [...gaps, ...lasting()]) {
    if (from < end && to > begin) lines.push(make("p", "lost", `gap, ${reason}`));
  }
  if (lines.length === 0) lines.push(make("p", "quiet", "nothing"));
  tip.replaceChildren(make("p", "when", clock(begin)), ...lines);
  const x = scaleOf(svg, now).x(begin);
  const right = x > svg.clientWidth / 2;
  tip.style.left = right ? "" : `${x + 14}px`;
  tip.style.right = right ? `${svg.clientWidth - x + 8}px` : "";
}

function point(second) {
  const last = Math.floor(now / 1_000);
  cursor = second === null ? null : Math.min(last, Math.max(last - spanOf(svg) + 1, second));
  if (status) drawChart(svg, { kinds, seconds, gaps: [...gaps, ...lasting()], now, cursor });
  showTip();
}

for (const type of ["pointerdown", "pointermove"]) {
  svg.addEventListener(type, ({ offsetX }) => {
    point(Math.floor(scaleOf(svg, now).time(offsetX) / 1_000));
  });
}
svg.addEventListener("pointerleave", () => point(null));
svg.addEventListener("blur", () => point(null));
svg.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === "Escape") point(null);
  else if (step) point(cursor === null ? Math.floor(now / 1_000) : cursor + step);
  else return;
  event.preventDefault();
});

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused && status) show();
});

new ResizeObserver(() => {
  if (status && !paused) show();
}).observe(svg);

const source = new EventSource("events");
source.addEventListener("all", ({ data }) => {
  seconds = new Map();
  items = [];
  gaps = [];
  const update = JSON.parse(data);
  kinds = update.kinds;
  take(update);
});
source.addEventListener("news", ({ data }) => take(JSON.parse(data)));
source.addEventListener("error", () => {
  showState("lost", "this page has lost its server, and tries again");
});
