import { countSlots, formatSlots } from "../cluster/discovery/mod.ts";
import type { Flush, Gap, KeyNotification, SlotRange } from "../mod.ts";
import { type Clock, timeOfDay } from "./clock.ts";
import { eventStyle } from "./event_style.ts";
import { printable } from "../pubsub/connection/printable.ts";
import { printableBytes } from "./byte_text.ts";
import type { Paint } from "./style.ts";

const DATABASE_WIDTH = "db15".length;
const EVENT_WIDTH = 12;

/**
 * A notification as one line: time, database, event, key, and subkeys where there are some.
 *
 * Control characters and bytes that are not UTF-8 are escaped, so that no key can drive the
 * terminal.
 */
export function formatNotification(
  notification: KeyNotification,
  paint: Paint,
  clock: Clock = timeOfDay,
): string {
  const { timestamp, database, eventType, keyBytes, subkeyBytes } = notification;
  const subkeys = subkeyBytes.map((subkey) => printableBytes(subkey)).join(" ");
  const where = `db${database}`.padEnd(DATABASE_WIDTH);
  const when = paint("gray", `${clock.format(timestamp)}  ${where}`);
  const event = paint(eventStyle(eventType), printable(eventType).padEnd(EVENT_WIDTH));
  const line = `${when} ${event}  ${printableBytes(keyBytes)}`;
  return subkeys === "" ? line : `${line}  ${paint("blueBright", subkeys)}`;
}

/** A gap as one line. */
export function formatGap(
  { reason, node, slots, from, to, dropped }: Gap,
  clock: Clock = timeOfDay,
): string {
  const lost = dropped === undefined
    ? "notifications may be missing"
    : dropped === 1
    ? "1 notification is missing"
    : `${dropped} notifications are missing`;
  const where = slots === undefined ? node : `${node}, ${formatSlotCount(slots)}`;
  return `gap: ${lost} from ${where}, ${clock.format(from)} to ${clock.format(to)} (${reason})`;
}

/** A flush as one line. */
export function formatFlush({ node, at }: Flush, clock: Clock = timeOfDay): string {
  return `flush: ${node} discarded all keys of a database, or of all, at ${clock.format(at)}`;
}

/** How many slots, and which, where that is short. */
function formatSlotCount(slots: readonly SlotRange[]): string {
  const count = countSlots(slots);
  const which = slots.length > 3 ? "" : ` (${formatSlots(slots)})`;
  return `${count} ${count === 1 ? "slot" : "slots"}${which}`;
}

/** The servers that are watched: by name as long as they are few. */
export function formatNodes(nodes: readonly { readonly node: string }[]): string {
  const names = nodes.slice(0, 3).map(({ node }) => node).join(", ");
  if (nodes.length === 1) return names;
  return `${nodes.length} nodes (${names}${nodes.length > 3 ? ", …" : ""})`;
}
