import type { KeyNotification, KeyspaceNotificationsInterface } from "../../mod.ts";
import type { Item, Sink } from "./sink.ts";

/** How long to wait for servers to confirm that nothing more comes, in ms. */
const PARTING = 1_000;

/** What to hand on, and for how long. */
export interface PumpOptions {
  /** Whether flushes are handed on. */
  readonly flushes: boolean;
  /** Has it end, once what was received by then is handed on. */
  readonly signal: AbortSignal;
  /** After how many notifications it ends. */
  readonly count: number;
  /** Whether a notification is handed on. */
  readonly takes: (notification: KeyNotification) => boolean;
}

/**
 * Hands on what arrives. It asks for more only once the sink is ready: what waits meanwhile is in the
 * bounded queue of the library, which reports a gap when it overflows.
 */
export async function pump(
  notifications: KeyspaceNotificationsInterface,
  sink: Sink,
  { flushes, signal, count, takes }: PumpOptions,
): Promise<void> {
  let left = count;
  const take = async (batch: readonly Item[]): Promise<void> => {
    const items: Item[] = [];
    for (const item of batch) {
      if (left === 0) break;
      if (item.kind === "gap" || item.kind === "flush") items.push(item);
      else if (takes(item)) {
        items.push(item);
        left--;
      }
    }
    await sink.take(items);
  };
  // The type knows flushes only of an option that is given.
  const shown = { gaps: true, flushes: flushes as true } as const;
  let parting: Promise<unknown> | undefined;
  const part = () => parting = orAfter(PARTING, notifications.unsubscribe());
  signal.addEventListener("abort", part, { once: true });
  if (signal.aborted) part();
  try {
    for await (const batch of notifications.batches({ ...shown, signal })) {
      await take(batch);
      if (left === 0) return;
    }
    // The loop has given back what it had not read.
    await parting;
    const rest = notifications.batches(shown);
    for (let step; (step = await orAfter(0, rest.next())) && !step.done;) {
      await take(step.value);
    }
    await rest.return();
  } finally {
    signal.removeEventListener("abort", part);
  }
}

/** What a promise resolves to; undefined if it rejects, or has not resolved after so many ms. */
function orAfter<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const giveUp = () => resolve(undefined);
    const timer = setTimeout(giveUp, ms);
    promise.then(resolve, giveUp).finally(() => clearTimeout(timer));
  });
}
