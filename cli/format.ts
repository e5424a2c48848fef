import type { Gap, KeyNotification } from "../mod.ts";
import { eventStyle } from "./event_style.ts";
import { printable } from "./printable.ts";
import type { Paint } from "./style.ts";

const DATABASE_WIDTH = "db15".length;
const EVENT_WIDTH = 12;

/**
 * A notification as one line: time, database, event, key, and subkeys where there are some.
 *
 * Control characters and bytes that are not UTF-8 are escaped, so that no key can drive the
 * terminal.
 */
export function formatNotification(notification: KeyNotification, paint: Paint): string {
  const { timestamp, database, eventType, keyBytes, subkeyBytes } = notification;
  const subkeys = subkeyBytes.map((subkey) => printable(subkey)).join(" ");
  const when = paint("gray", `${formatTime(timestamp)}  ${`db${database}`.padEnd(DATABASE_WIDTH)}`);
  const event = paint(eventStyle(eventType), printable(eventType).padEnd(EVENT_WIDTH));
  const line = `${when} ${event}  ${printable(keyBytes)}`;
  return subkeys === "" ? line : `${line}  ${paint("blueBright", subkeys)}`;
}

/** A gap as one line. */
export function formatGap({ reason, node, from, to, dropped }: Gap): string {
  const lost = dropped === undefined
    ? "notifications may be missing"
    : dropped === 1
    ? "1 notification is missing"
    : `${dropped} notifications are missing`;
  return `gap: ${lost} from ${node}, ${formatTime(from)} to ${formatTime(to)} (${reason})`;
}

/** The local time of day, to the millisecond. */
export function formatTime(timestamp: number): string {
  const time = new Date(timestamp);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
