import type { Flush, Gap, KeyNotification } from "../../mod.ts";
import type { Clock } from "../clock.ts";
import { formatFlush, formatGap, formatNotification } from "../format.ts";
import { printable } from "../../pubsub/connection/printable.ts";
import type { Paint } from "../style.ts";
import type { LineFormat } from "./line_format.ts";

/** Lines for people, with colours where these are shown. */
export class TextFormat implements LineFormat {
  readonly #paint: Paint;
  readonly #clock: Clock;

  /** @param clock says when it happened */
  constructor(paint: Paint, clock: Clock) {
    this.#paint = paint;
    this.#clock = clock;
  }

  head(): string[] {
    return [];
  }

  notification(notification: KeyNotification): string[] {
    return [formatNotification(notification, this.#paint, this.#clock)];
  }

  gap(gap: Gap): string {
    return this.#paint("yellow", printable(formatGap(gap, this.#clock)));
  }

  flush(flush: Flush): string {
    return this.#paint("yellow", printable(formatFlush(flush, this.#clock)));
  }
}
