import type { Flush, Gap, KeyNotification } from "../../mod.ts";

/** A way to write what comes, a line for each. */
export interface LineFormat {
  /** Lines that stand before all others, once everything is subscribed. */
  head(): readonly string[];
  /** A notification; several lines only where several subscriptions receive it. */
  notification(notification: KeyNotification): readonly string[];
  /** A gap. */
  gap(gap: Gap): string;
  /** A flush. */
  flush(flush: Flush): string;
}
