import { Buffer } from "node:buffer";
import type { Flush, Gap, KeyNotification } from "../../mod.ts";
import { UNPRINTABLE } from "../../pubsub/connection/printable.ts";
import { decodeStrict } from "../byte_text.ts";
import type { Stopwatch } from "../clock.ts";
import type { LineFormat } from "./line_format.ts";

/**
 * An object a line, its members named as those of {@linkcode KeyNotification} and
 * {@linkcode Gap}. Beside text that cannot show all bytes of a key or a subkey stand these bytes in
 * base64: `keyBase64`, `subkeysBase64`.
 */
export class JsonFormat implements LineFormat {
  readonly #stopwatch: Stopwatch | null;

  /** @param stopwatch adds `sinceStart`, in ms, to each line */
  constructor(stopwatch: Stopwatch | null) {
    this.#stopwatch = stopwatch;
  }

  head(): string[] {
    return [];
  }

  notification(notification: KeyNotification): string[] {
    const { timestamp, node, slot, migration, kind, database, eventType } = notification;
    const { key, keyBytes, subkeys, subkeyBytes } = notification;
    return [toLine({
      kind,
      timestamp,
      ...this.#sinceStart(timestamp),
      database,
      eventType,
      key,
      ...(isText(keyBytes) ? {} : { keyBase64: toBase64(keyBytes) }),
      ...(subkeys.length === 0 ? {} : { subkeys }),
      ...(subkeyBytes.every(isText) ? {} : { subkeysBase64: subkeyBytes.map(toBase64) }),
      node,
      slot,
      migration,
    })];
  }

  gap(gap: Gap): string {
    return toLine({ ...gap, ...this.#sinceStart(gap.to) });
  }

  flush(flush: Flush): string {
    return toLine({ ...flush, ...this.#sinceStart(flush.at) });
  }

  #sinceStart(timestamp: number): { sinceStart?: number } {
    return this.#stopwatch === null ? {} : { sinceStart: timestamp - this.#stopwatch.start };
  }
}

function isText(bytes: Uint8Array): boolean {
  return decodeStrict(bytes) !== null;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** JSON in a line that a terminal shows and does not obey: it has no control characters as such. */
export function toLine(value: unknown): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (mark) =>
    // By code units, as JSON counts.
    mark.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`));
}
