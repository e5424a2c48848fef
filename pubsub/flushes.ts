import type { Reply } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import type { Introduced, ServerInfo } from "./connection/handshake.ts";
import type { GapReason } from "./gap.ts";
import type { Settings } from "./options.ts";

// Imports types alone: values that other chunks share would divide these in every bundle.

/**
 * Has the server report when all keys are invalid, and no other invalidation: with `OPTIN` it keeps
 * only keys in mind for which a client asks that.
 */
const TRACKING = ["CLIENT", "TRACKING", "ON", "OPTIN"] as const;

/**
 * What a push that reports a flush has before its null, in RESP3 and in RESP2. Redict has renamed the
 * channel and kept the length of the old name.
 */
const FLUSHES = [
  "invalidate",
  "message,__redis__:invalidate",
  "message,__redict__:invalidat",
  "message,__redict__:invalidate",
];
const LONGEST_WORD = 21;

/** A session of which flushes are to be observed. */
export interface TrackedSession {
  readonly connection: Connection;
  readonly info: ServerInfo;
  /** Why the session has ended; null while it has not. */
  readonly closedReason: Error | null;
  openSideConnection(onClosed: (reason: Error) => void): Promise<Introduced>;
  giveUp(reason: GapReason, from: number): void;
  close(reason: Error): void;
}

/** Whether a push reports a flush. In RESP2 it is a message, whose null no client can publish. */
export function isFlush(items: readonly Reply[]): boolean {
  const words = items.slice(0, -1).map((item) =>
    item instanceof Uint8Array && item.length <= LONGEST_WORD
      ? String.fromCharCode(...item)
      : typeof item === "string" && item
  );
  return items.at(-1) === null && FLUSHES.includes(String(words));
}

/**
 * Has the server report flushes on the connection of a session, on which nothing is subscribed yet. Warns
 * once if it does not.
 *
 * @param signal ends what is done beside the connection
 * @throws if the connection is over, or no second one can be made
 */
export async function trackFlushes(
  session: TrackedSession,
  settings: Settings,
  signal: AbortSignal,
): Promise<void> {
  const { connection, info } = session;
  const warn = (why: string) => {
    const state = settings.flushes!;
    if (state.hasWarned) return;
    state.hasWarned = true;
    settings.onWarning(`flushes of ${connection.server} cannot be observed: ${why}`);
  };
  try {
    if (info.protocol === 3) await connection.request(...TRACKING);
    else if (!await redirectFlushes(session, settings, signal)) {
      warn(
        "INFO does not say whether a second connection, which RESP2 needs, reaches the same server",
      );
    }
  } catch (error) {
    const { name, code, message } = error as Error & { code?: unknown };
    if (name !== "ServerError" && code !== "OTHER_SERVER") throw error;
    warn(message);
  }
}

/**
 * Has a second connection send the invalidations to the first: RESP2 has no other way. The server
 * writes them among the messages of the first, which need not subscribe their channel.
 *
 * @returns false if the second connection may have reached another server, on which the id of the first
 * may be that of somebody else's connection
 */
async function redirectFlushes(
  session: TrackedSession,
  { heartbeat }: Settings,
  signal: AbortSignal,
): Promise<boolean> {
  const { connection, info } = session;
  const id = String(await connection.request("CLIENT", "ID"));
  let isTracking = false;
  const side = await session.openSideConnection((reason) => {
    if (!isTracking || session.closedReason !== null) return;
    // A flush may have come since the last proof that the server had it. Both connections are opened again,
    // and the gap between them covers it.
    session.giveUp("disconnected", side.connection.lastAckAt);
    session.close(reason);
  });
  const { connection: beside } = side;
  try {
    if (info.runId === null || info.runId !== side.info.runId) return false;
    await beside.request(...TRACKING, "REDIRECT", id);
    isTracking = true;
    // It may have been closed together with the answer.
    if (beside.closedReason !== null) throw beside.closedReason;
  } finally {
    if (!isTracking) beside.close();
  }
  signal.throwIfAborted();
  // Servers may close idle connections, unless these have subscribed.
  const timer = setInterval(() => beside.request("PING").catch(() => {}), heartbeat.interval);
  signal.addEventListener("abort", () => clearInterval(timer));
  return true;
}
