/** The parts of the page, made from what the server tells. Keys are text here, never markup. */
import { clock, duration } from "./chart.js";

export const SLOTS = 16_384;

export const number = new Intl.NumberFormat("en").format;

/** Why notifications may be missing, in a sentence. */
const REASONS = {
  disconnected: "The connection was lost.",
  unresponsive: "The server did not answer in time.",
  overflow: "This program, or the one that reads it, was too slow, and its queue was full.",
  failover: "Another node became the primary of these slots.",
  topology: "The slots changed hands, or nobody owned them.",
  degraded: "The server's settings let nothing through.",
  reconnecting: "The connection is lost. It is tried again.",
};

export function make(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export function swatch(kind) {
  const made = make("span", "swatch");
  made.style.setProperty("--kind", `var(--${kind})`);
  return made;
}

/** The name of a kind as people write it. */
export function nameOf(kind) {
  return kind.replace("-", " ");
}

export function spans(slots) {
  return slots.map(({ first, last }) => first === last ? first : `${first}\u2060–\u2060${last}`)
    .join(", ");
}

export function size(slots) {
  return slots.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** Sets a text only if it is another: what is selected stays selected. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows a list in elements that stay as long as what they show: one that is clicked, or open, is not
 * exchanged meanwhile.
 */
export function keyed(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const children = items.map((item) => {
    const key = String(keyOf(item));
    const child = old.get(key) ?? create(item);
    child.dataset.key = key;
    old.delete(key);
    update(child, item);
    return child;
  });
  for (const child of old.values()) child.remove();
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

export function timeOf(time) {
  const [seconds, ms] = clock(time, 3).split(".");
  const made = make("time", "", seconds, make("span", "ms", `.${ms}`));
  made.dateTime = new Date(time).toISOString();
  return made;
}

export function itemRow(item) {
  if (item.type === "more") return make("li", "more", `and ${number(item.count)} more`);
  if (item.type === "gap") {
    const text = `gap of ${duration(item.to - item.from)}, ${item.reason}, ${item.node}`;
    return make("li", "gap", timeOf(item.from), make("span", "", text));
  }
  if (item.type === "flush") {
    const text = `flush: ${item.node} discarded all keys of a database, or of all`;
    return make("li", "gap", timeOf(item.at), make("span", "", text));
  }
  const key = make("span", "key", item.key);
  key.title = item.key;
  const where = item.node === null ? `db ${item.database}` : item.node;
  const event = make("span", "event", swatch(item.kind), item.event);
  return make("li", "", timeOf(item.at), event, key, make("span", "quiet where", where));
}

/** A gap, which opens to its details. */
export function createGap({ from, to, reason, node, slots, dropped }) {
  const line = make("span", "", `${reason}, ${duration(to - from)}`);
  const about = make("span", "quiet", timeOf(from), ` · ${node}`);
  const facts = make("dl", "");
  const add = (name, value) => facts.append(make("dt", "", name), make("dd", "", value));
  add("from", timeOf(from));
  add("to", timeOf(to));
  if (slots) add("slots", `${number(size(slots))}: ${spans(slots)}`);
  if (dropped !== undefined) add("dropped", number(dropped));
  const why = make("p", "", REASONS[reason] ?? "");
  const details = make("details", "", make("summary", "", line, about), why, facts);
  return make("li", "", details);
}

/** A prefix of keys, which filters by itself when it is clicked. */
export function createPrefix({ name }) {
  const button = make("button", "", make("span", "key", name), make("b", ""), make("i", ""));
  button.type = "button";
  button.title = `Show only ${name}`;
  button.dataset.pattern = globOf(name);
  return make("li", "", button);
}

export function updatePrefix(row, { recent, total }, most) {
  write(row.querySelector("b"), number(recent));
  row.querySelector("i").style.width = `${most > 0 ? recent / most * 100 : 0}%`;
  row.querySelector("b").title = `${number(total)} in all`;
}

/** The glob of a name that ends with `*`, in which nothing else stands for other keys. */
function globOf(name) {
  const isPrefix = name.endsWith("*");
  const text = (isPrefix ? name.slice(0, -1) : name).replace(/[\\*?[\]]/g, "\\$&");
  return isPrefix ? `${text}*` : text;
}

export function createNode({ node }, isButton) {
  const name = make(isButton ? "button" : "span", "", node);
  if (isButton) {
    name.type = "button";
    name.dataset.node = node;
    name.title = `Show only ${node}`;
  }
  const row = make("li", "", make("div", "name", name, make("span", "state")));
  row.append(make("p", "quiet about"), make("p", "quiet heard"));
  return row;
}

/** @param asOf when this page heard of it last, if it hears nothing now; else null */
export function updateNode(row, node, now, asOf, isChosen) {
  const { state, since, error, software, version, role, protocol, messages, lastMessage } = node;
  const ready = state === "ready" && asOf === null;
  const shown = asOf !== null && state === "ready"
    ? `? as of ${clock(asOf)}`
    : ready
    ? "✓ ready"
    : `! ${state} for ${duration(Math.max(0, now - since))}`;
  row.className = [ready ? "" : "away", isChosen ? "chosen" : ""].join(" ").trim();
  write(row.querySelector(".state"), shown);
  const about = [software && `${software} ${version}`, role, protocol && `RESP${protocol}`];
  if (node.slots?.length > 4) about.push(`${number(size(node.slots))} slots`);
  else if (node.slots?.length > 0) about.push(`slots ${spans(node.slots)}`);
  write(row.querySelector(".about"), about.filter(Boolean).join(" · "));
  const heard = [`${number(messages)} messages`];
  if (!ready) heard.push(`as of ${clock(asOf ?? since)}`);
  else if (lastMessage !== null) {
    heard.push(`the last ${duration(Math.max(0, now - lastMessage))} ago`);
  }
  const figures = heard.join(", ");
  write(row.querySelector(".heard"), ready || !error ? figures : `${error}; ${figures}`);
}
