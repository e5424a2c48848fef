import { formatSlots } from "../../cluster/discovery/mod.ts";
import {
  type Flush,
  type Gap,
  type KeyNotification,
  matchGlob,
  type NotificationChannel,
} from "../../mod.ts";
import type { LineFormat } from "./line_format.ts";
import { toWire } from "./wire.ts";

/**
 * Rows as `redis-cli --csv psubscribe` prints them, for what reads those already: a row for each
 * subscription that a notification matches. A gap is a row of its own kind.
 */
export class CsvFormat implements LineFormat {
  readonly #channels: readonly NotificationChannel[];

  /** @param channels what is subscribed to */
  constructor(channels: readonly NotificationChannel[]) {
    this.#channels = channels;
  }

  /** The confirmations. */
  head(): string[] {
    return this.#channels.map(({ isPattern, bytes }, i) =>
      row(isPattern ? "psubscribe" : "subscribe", bytes, i + 1)
    );
  }

  notification(notification: KeyNotification): string[] {
    const { channel, payload } = toWire(notification);
    const rows: string[] = [];
    for (const { isPattern, bytes } of this.#channels) {
      if (isPattern) {
        if (matchGlob(bytes, channel)) rows.push(row("pmessage", bytes, channel, payload));
      } else if (isSame(bytes, channel)) rows.push(row("message", channel, payload));
    }
    return rows;
  }

  /** `"gap",reason,node,slots,from,to,dropped`: times in ms since the epoch, absent parts empty. */
  gap({ reason, node, slots, from, to, dropped }: Gap): string {
    return row("gap", reason, node, slots === undefined ? "" : formatSlots(slots), from, to) +
      `,${dropped ?? '""'}`;
  }

  /** `"flush",node,at`. */
  flush({ node, at }: Flush): string {
    return row("flush", node, at);
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function row(...fields: (string | Uint8Array | number)[]): string {
  return fields.map((field) => typeof field === "number" ? String(field) : quote(field)).join();
}

const utf8 = new TextEncoder();

const ESCAPES: Readonly<Record<number, string>> = {
  0x07: "\\a",
  0x08: "\\b",
  0x09: "\\t",
  0x0a: "\\n",
  0x0d: "\\r",
  0x22: '\\"',
  0x5c: "\\\\",
};

/** Everything but printable ASCII is escaped, so nothing can control a terminal. */
function quote(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? utf8.encode(value) : value;
  let text = "";
  for (const byte of bytes) {
    text += ESCAPES[byte] ??
      (byte >= 0x20 && byte < 0x7f
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`);
  }
  return `"${text}"`;
}
