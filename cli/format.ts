import { styleText } from "node:util";
import { describeEvent, type Gap, type KeyNotification } from "../mod.ts";

/** How a line is to look. */
export interface LineStyle {
  /** Whether it goes to a terminal that shows colours. */
  readonly color: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** A colour for each class of events, by its letter in `notify-keyspace-events`. */
const CLASS_STYLES: Readonly<Record<string, Style>> = {
  g: "yellow",
  $: "green",
  l: "cyan",
  s: "cyan",
  h: "blue",
  z: "magenta",
  t: "cyan",
  a: "cyan",
  x: "red",
  e: "red",
  m: "gray",
  n: "gray",
  o: "yellow",
  c: "yellow",
};

const EVENT_WIDTH = 12;

/**
 * A notification as one line: time, database, event, key, and subkeys where there are some.
 *
 * Control characters and bytes that are not UTF-8 are escaped, so that no key can drive the
 * terminal.
 */
export function formatNotification(notification: KeyNotification, style: LineStyle): string {
  const { timestamp, database, eventType, keyBytes, subkeyBytes } = notification;
  const paint = painter(style);
  const eventStyle = CLASS_STYLES[describeEvent(eventType).class ?? ""] ?? "white";
  const subkeys = subkeyBytes.map((subkey) => printable(subkey)).join(" ");
  return [
    paint("gray", formatTime(timestamp)),
    paint("gray", `db${database}`),
    paint(eventStyle, printable(eventType).padEnd(EVENT_WIDTH)),
    printable(keyBytes),
    ...(subkeys === "" ? [] : [paint("blue", subkeys)]),
  ].join("  ");
}

/** A gap as one line. */
export function formatGap({ reason, node, from, to, dropped }: Gap): string {
  const lost = dropped === undefined ? "notifications may be missing" : `${dropped} are missing`;
  return `gap: ${lost} from ${node}, ${formatTime(from)} to ${formatTime(to)} (${reason})`;
}

/** Gives text a style, where the line is to have one. */
export function painter({ color }: LineStyle): (style: Style, text: string) => string {
  return (style, text) => color ? styleText(style, text, { validateStream: false }) : text;
}

/** The local time of day, to the millisecond. */
export function formatTime(timestamp: number): string {
  const time = new Date(timestamp);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text that a terminal shows and does not obey; bytes that are not UTF-8 as `\xhh`. */
export function printable(value: string | Uint8Array): string {
  return escapeControls(typeof value === "string" ? value : decodeOrEscape(value));
}

function decodeOrEscape(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(
      bytes,
      (byte) => byte < 0x80 ? String.fromCharCode(byte) : escapeByte(byte),
    ).join("");
  }
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Escapes controls, the marks that hide or turn text, and line separators. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (mark) => {
    const code = mark.codePointAt(0)!;
    return SHORT_ESCAPES[mark] ?? (code < 0x100 ? escapeByte(code) : `\\u{${code.toString(16)}}`);
  });
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
