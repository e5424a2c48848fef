import { type ClusterOptions, connect, type KeyspaceNotificationsInterface } from "../mod.ts";
import { connectOptions, type Target } from "./connection.ts";
import { doubtsOf } from "./doubts.ts";
import { checkFlags } from "./flags_check.ts";
import { Losses } from "./losses.ts";
import { messageOf } from "./message.ts";
import type { Output } from "./output.ts";
import type { Selection } from "./selection.ts";

/** Where news go. */
export type Notes = Pick<Output, "note">;

/**
 * Connects to a server or a cluster and subscribes what was asked for. What goes wrong later is
 * noted.
 *
 * @param options what goes before the options that every command connects with
 * @throws what `connect` and `subscribe` throw
 * @throws {Error} when nothing can come of some of the selection
 */
export async function open(
  target: Target,
  selection: Selection,
  { output, signal }: { readonly output: Notes; readonly signal: AbortSignal },
  options: ClusterOptions,
): Promise<KeyspaceNotificationsInterface> {
  const losses = new Losses();
  const notifications = await connect(target.url, {
    ...connectOptions(target),
    signal,
    // It reports gaps and losses by itself, until the loop is open and after it has ended too.
    quiet: true,
    onError: (error) => output.note(messageOf(error), "red"),
    onWarning: (message) => output.note(message, "yellow"),
    onStatus: ({ nodes }) => {
      for (const loss of losses.newIn(nodes)) output.note(loss, "yellow");
    },
    ...options,
  });
  try {
    await notifications.subscribe(...selection.channels);
    for (const doubt of doubtsOf(selection)) output.note(doubt, "yellow");
    const { failure, warnings } = checkFlags(notifications.status().nodes, selection);
    if (failure !== null) throw new Error(failure);
    for (const warning of warnings) output.note(warning, "yellow");
    return notifications;
  } catch (error) {
    await notifications.close();
    throw error;
  }
}

/**
 * As {@linkcode open}, but what is open stays open when the signal is aborted later: it may still be
 * read then, and asked how things stand.
 *
 * @returns null when it is aborted before
 */
export async function openToStay(
  target: Target,
  selection: Selection,
  { output, signal }: Parameters<typeof open>[2],
  options: ClusterOptions,
): Promise<KeyspaceNotificationsInterface | null> {
  const opening = new AbortController();
  const giveUp = () => opening.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  try {
    return await open(target, selection, { output, signal: opening.signal }, options);
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** A limit to how long a command works. */
export interface Deadline {
  /** Aborted when the time has passed, and when the command ends anyway. */
  readonly signal: AbortSignal;
  /** Whether the time has passed. */
  readonly isOver: boolean;
  /** Stops the time. */
  release(): void;
}

/** Starts a time after which a command has done its work; undefined for one that never comes. */
export function startDeadline(duration: number | undefined, signal: AbortSignal): Deadline {
  const end = new AbortController();
  const timer = duration === undefined ? undefined : setTimeout(() => end.abort(), duration);
  return {
    signal: AbortSignal.any([signal, end.signal]),
    get isOver() {
      return end.signal.aborted;
    },
    release: () => clearTimeout(timer),
  };
}
