/** The page: takes what the server tells, and shows it. */
import { clock, drawChart, scaleOf, stepOf } from "./chart.js";
import * as views from "./views.js";

const { make, number, size, SLOTS, spans, swatch, write } = views;

/** How many events are listed. */
const LISTED = 24;
/** How many gaps are listed, and kept. */
const GAPS_LISTED = 6;
const GAPS_KEPT = 100;
/** Without news for so long, in ms, the server counts as lost. */
const PATIENCE = 3_000;

const at = (id) => document.getElementById(id);
const svg = at("chart");

let kinds = [];
let seconds = new Map();
let items = [];
let gaps = [];
let prefixes = [];
let status = null;
let events = 0;
let now = Date.now();
/** The second that is pointed at, or null. */
let cursor = null;
let paused = false;
/** How many events there were when it was paused. */
let pausedAt = 0;
/** The last item that was taken: the first news repeat what the page already has. */
let lastId = 0;
/** When the server was heard last, by the clock of this page, in ms. */
let heardAt = performance.now();
let isStale = false;
const hidden = new Set();

const NO_EVENT = "Nothing has happened yet. Set a key, and it will be here.";
const NO_MATCH = "No event matches the filter yet.";

/** What is shown, as the address of the page says. */
const query = new URLSearchParams(location.search);
const filter = {
  pattern: query.get("pattern") ?? "",
  event: query.get("event") ?? "",
  node: query.get("node") ?? "",
};
at("range").value = query.get("range") ?? (svg.clientWidth < 560 ? "60" : "120");
if (at("range").value === "") at("range").value = "120";

function isFiltered() {
  return Object.values(filter).some((value) => value !== "");
}

function span() {
  return Number(at("range").value);
}

function take(update) {
  heardAt = performance.now();
  if (paused && status !== null) {
    const missed = Math.max(0, update.events - pausedAt);
    write(at("pause"), missed === 0 ? "Resume" : `Resume (${number(missed)} new)`);
    if (!isStale) return;
    isStale = false;
    return show();
  }
  now = update.now;
  events = update.events;
  status = update.status;
  prefixes = update.prefixes;
  for (const [second, counts] of update.seconds) seconds.set(second, counts);
  for (const second of seconds.keys()) if (second < now / 1_000 - 3_600) seconds.delete(second);
  const fresh = update.items.filter(({ id }) => id > lastId);
  lastId = fresh.at(-1)?.id ?? lastId;
  if (update.skipped > 0) items.push({ type: "more", count: update.skipped });
  items.push(...fresh);
  items = items.slice(-LISTED);
  gaps = [...gaps, ...fresh.filter(({ type }) => type === "gap")].slice(-GAPS_KEPT);
  isStale = false;
  show();
}

function isAway({ state }) {
  return state !== "ready" && state !== "connecting";
}

/** The gaps that are not over: of nodes that are away now. */
function lasting() {
  return (status?.nodes ?? []).filter((node) =>
    isAway(node) && (filter.node === "" || filter.node === node.node)
  ).map(({ since, state, slots }) => ({ from: since, reason: state, slots }));
}

function draw() {
  const shown = kinds.map((kind) => hidden.has(kind));
  const all = [...gaps, ...lasting()];
  drawChart(svg, { kinds, hidden: shown, seconds, gaps: all, now, cursor, span: span() });
}

function show() {
  if (isStale) showState("lost", "this page has lost its server, and tries again");
  else showState(status.health.ok ? "ready" : "incomplete", status.health.reason);
  showFigures();
  showLegend();
  draw();
  const listed = items.filter(({ kind }) => !hidden.has(kind));
  at("items").replaceChildren(...listed.toReversed().map(views.itemRow));
  const latest = gaps.slice(-GAPS_LISTED).toReversed();
  views.keyed(at("gaps"), latest, ({ id, from }) => `${id} ${from}`, views.createGap, () => {});
  write(at("latest").querySelector(".empty"), isFiltered() ? NO_MATCH : NO_EVENT);
  showSlots();
  showNodes();
  showPrefixes();
  if (cursor !== null) showTip();
}

function showState(state, text) {
  at("state").dataset.state = state;
  write(at("state"), text);
}

/** Since when nothing is known of any node, or null. */
function asOf() {
  if (isStale) return now;
  const { nodes } = status;
  const isLost = nodes.length > 0 && nodes.every(isAway);
  return isLost ? Math.max(...nodes.map(({ since }) => since)) : null;
}

function showFigures() {
  const { nodes, slots, dropped } = status;
  const last = seconds.get(Math.floor(now / 1_000) - 1) ?? [];
  const ready = nodes.filter(({ state }) => state === "ready").length;
  const covered = slots ? size(slots.covered) : ready;
  const all = slots ? SLOTS : nodes.length;
  const share = slots ? `${Math.floor(covered / all * 1_000) / 10} %` : `${covered} of ${all}`;
  write(at("rate"), number(last.reduce((sum, count) => sum + count, 0)));
  write(at("events"), number(events));
  write(at("gap-count"), number(status.gaps));
  write(at("gap-count").previousElementSibling, status.gaps === 1 ? "gap" : "gaps");
  write(at("dropped"), number(dropped));
  write(at("covered"), share);
  write(at("covered-name"), slots ? "slots covered" : "nodes covered");
  at("gap-count").parentElement.classList.toggle("bad", status.gaps > 0);
  at("dropped").parentElement.classList.toggle("bad", dropped > 0);
  at("covered").parentElement.classList.toggle("bad", covered < all);
  const since = asOf();
  const figures = at("figures");
  document.body.classList.toggle("stale", isStale);
  document.body.classList.toggle("blind", since !== null);
  if (since === null) delete figures.dataset.asOf;
  else figures.dataset.asOf = `as of ${clock(since)}`;
}

function showLegend() {
  const from = now / 1_000 - span();
  const sums = new Map(kinds.map((kind) => [kind, 0]));
  for (const [second, counts] of seconds) {
    if (second < from) continue;
    counts.forEach((count, i) => sums.set(kinds[i], sums.get(kinds[i]) + count));
  }
  const create = (kind) => {
    if (kind === "gap") return make("li", "", make("span", "swatch hatch"), "gap");
    const button = make("button", "", swatch(kind), `${views.nameOf(kind)} `, make("b", ""));
    button.type = "button";
    button.dataset.kind = kind;
    return make("li", "", button);
  };
  views.keyed(at("legend"), [...kinds, "gap"], (kind) => kind, create, (entry, kind) => {
    if (kind === "gap") return;
    entry.classList.toggle("none", sums.get(kind) === 0);
    entry.classList.toggle("hidden", hidden.has(kind));
    entry.firstChild.setAttribute("aria-pressed", String(!hidden.has(kind)));
    entry.firstChild.title = `${hidden.has(kind) ? "Show" : "Hide"} ${views.nameOf(kind)}`;
    write(entry.querySelector("b"), number(sums.get(kind)));
  });
  const step = stepOf(svg, span());
  const unit = step === 1 ? "second" : step === 60 ? "minute" : `${step} seconds`;
  write(at("history-title"), `Events by ${unit} and kind`);
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

function showNodes() {
  const { nodes } = status;
  const create = (node) => views.createNode(node, nodes.length > 1);
  views.keyed(
    at("nodes"),
    nodes,
    ({ node }) => `${node} ${nodes.length > 1}`,
    create,
    (row, node) => {
      views.updateNode(row, node, now, isStale ? now : null, filter.node === node.node);
    },
  );
}

function showPrefixes() {
  const most = prefixes[0]?.recent ?? 0;
  const busy = prefixes.filter(({ recent }) => recent > 0);
  views.keyed(at("prefixes"), busy, ({ name }) => name, views.createPrefix, (row, one) => {
    views.updatePrefix(row, one, most);
  });
}

function showTip() {
  const tip = at("tip");
  tip.hidden = cursor === null;
  if (cursor === null) return;
  const step = stepOf(svg, span());
  const counts = kinds.map(() => 0);
  for (let second = cursor; second < cursor + step; second++) {
    (seconds.get(second) ?? []).forEach((count, i) => counts[i] += count);
  }
  const lines = kinds.flatMap((kind, i) => {
    return counts[i] && !hidden.has(kind)
      ? [make("p", "", make("span", "", swatch(kind), views.nameOf(kind)), number(counts[i]))]
      : [];
  });
  const [begin, end] = [cursor * 1_000, (cursor + step) * 1_000];
  for (const { from, to = now, reason, slots } of [...gaps, ...lasting()]) {
    if (from >= end || to <= begin) continue;
    const share = slots ? `, ${Math.round(size(slots) / SLOTS * 100)} % of the slots` : "";
    lines.push(make("p", "lost", `gap, ${reason}${share}`));
  }
  if (lines.length === 0) lines.push(make("p", "quiet", "nothing"));
  tip.replaceChildren(make("p", "when", clock(begin)), ...lines);
  const x = scaleOf(svg, now, span()).x(begin);
  const right = x > svg.clientWidth / 2;
  tip.style.left = right ? "" : `${x + 14}px`;
  tip.style.right = right ? `${svg.clientWidth - x + 8}px` : "";
}

function point(second) {
  const step = stepOf(svg, span());
  const last = Math.floor(now / 1_000);
  const begin = (time) => time - time % step;
  const least = begin(last - span() + 1);
  cursor = second === null ? null : Math.min(begin(last), Math.max(least, begin(second)));
  if (status) draw();
  showTip();
}

for (const type of ["pointerdown", "pointermove"]) {
  svg.addEventListener(type, ({ offsetX }) => {
    point(Math.floor(scaleOf(svg, now, span()).time(offsetX) / 1_000));
  });
}
svg.addEventListener("pointerleave", () => point(null));
svg.addEventListener("blur", () => point(null));
svg.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key] * stepOf(svg, span());
  if (event.key === "Escape") point(null);
  else if (step) point(cursor === null ? Math.floor(now / 1_000) : cursor + step);
  else return;
  event.preventDefault();
});

at("pause").addEventListener("click", () => {
  paused = !paused;
  pausedAt = events;
  at("pause").setAttribute("aria-pressed", String(paused));
  write(at("pause"), paused ? "Resume" : "Pause");
  // Nothing was kept meanwhile: the server tells everything anew.
  if (!paused) listen();
});

at("legend").addEventListener("click", ({ target }) => {
  const kind = target.closest("button")?.dataset.kind;
  if (!kind) return;
  if (!hidden.delete(kind)) hidden.add(kind);
  show();
});

at("prefixes").addEventListener("click", ({ target }) => {
  const pattern = target.closest("button")?.dataset.pattern;
  if (pattern !== undefined) choose({ pattern });
});

at("nodes").addEventListener("click", ({ target }) => {
  const node = target.closest("button")?.dataset.node;
  if (node !== undefined) choose({ node: node === filter.node ? "" : node });
});

at("clear").addEventListener("click", () => choose({ pattern: "", event: "", node: "" }));
at("filter").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["pattern", "event"]) {
  at(name).addEventListener("change", () => choose({ [name]: at(name).value.trim() }));
}
at("range").addEventListener("change", () => {
  remember();
  if (status) show();
});

/** Shows other events: the server tells everything that it still has of them. */
function choose(change) {
  Object.assign(filter, change);
  remember();
  listen();
}

/** In the address of the page, so that it is the same after it was loaded again. */
function remember() {
  const { pattern, event, node } = filter;
  at("pattern").value = pattern;
  at("event").value = event;
  at("node-filter").hidden = node === "";
  write(at("node-filter"), `only ${node}`);
  at("clear").hidden = !isFiltered();
  const shown = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  if (new URLSearchParams(location.search).has("range") || span() !== 120) {
    shown.set("range", String(span()));
  }
  history.replaceState(null, "", shown.size > 0 ? `?${shown}` : location.pathname);
}

new ResizeObserver(() => {
  if (status) draw();
}).observe(svg);

let source = null;

function listen() {
  source?.close();
  const wanted = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  source = new EventSource(`events?${wanted}`);
  source.addEventListener("all", ({ data }) => {
    const update = JSON.parse(data);
    if (!paused || status === null) {
      seconds = new Map();
      items = [];
      gaps = [];
      lastId = 0;
      kinds = update.kinds;
    }
    take(update);
  });
  source.addEventListener("news", ({ data }) => take(JSON.parse(data)));
  source.addEventListener("error", lose);
}

/** The server is gone: what is shown is as of when it was there. */
function lose() {
  if (isStale) return;
  isStale = true;
  if (status) show();
  else showState("lost", "this page has lost its server, and tries again");
}

setInterval(() => {
  if (performance.now() - heardAt > PATIENCE) lose();
  // Browsers give up after an answer that is not a stream, such as that of a proxy meanwhile.
  if (source.readyState === EventSource.CLOSED) listen();
}, 1_000);

remember();
listen();
