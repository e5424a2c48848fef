import type { Connection } from "./connection/connection.ts";
import { isOtherServer } from "./connection/info.ts";
import { delay } from "./connection/timers.ts";
import { SubscribeRefusedError } from "./errors.ts";
import type { CheckedChannel, DeliveryCheck, UndeliverableError } from "./flags.ts";
import type { GapReason } from "./gap.ts";
import type { Settings } from "./options.ts";
import type { CheckedSession } from "./role_check.ts";
import type { WithConnection } from "./side_connection.ts";

/**
 * How long to wait before a degraded server is checked again, in ms. The time doubles up to the
 * maximum, because each check takes a connection in RESP2.
 */
const FIRST_RECHECK_MS = 200;
const MAX_RECHECK_MS = 2_000;

/** A session that has requested every desired channel. */
export interface UpkeptSession extends CheckedSession {
  readonly connection: Connection;
  readonly withConnection: WithConnection;
  readonly subscriptions: { retry(): Promise<UndeliverableError | null> };
  /** Whether something can come on every desired channel, as far as is known. */
  readonly isReady: boolean;
  /** A time before which the server did not send the last message, in ms since the epoch. */
  readonly lastSentAfter: number;
  /** Called for the next message; null if nobody waits for it. */
  onMessage: (() => void) | null;
  readonly signal: AbortSignal;
  enter(state: "ready" | "degraded", error: Error | null): boolean;
  close(reason: Error): void;
}

/** What is known of the server of a session. */
export interface UpkeptServer {
  /** Null if flags and databases are ignored. */
  readonly deliveryCheck: DeliveryCheck | null;
  readonly options: {
    readonly settings: Settings;
    readonly dispatcher: { readonly registry: { values(): Iterable<CheckedChannel> } };
    readonly owner: {
      checkUp?(connection: Connection, session: CheckedSession): Promise<void>;
      onLost(reason: GapReason, from: number, hasChannels: boolean): void;
    };
  };
}

/**
 * Checks whether the server can still deliver the desired channels, which a connection that lives does
 * not show.
 *
 * @param isRegular whether the check of the owner is due as well
 */
export async function checkUp(
  session: UpkeptSession,
  server: UpkeptServer,
  isRegular: boolean,
): Promise<void> {
  const { deliveryCheck, options: { dispatcher, owner, settings } } = server;
  const looksAtFlags = session.isReady && deliveryCheck !== null && deliveryCheck.isTold;
  const asksMore = isRegular && owner.checkUp !== undefined;
  if (!asksMore && !looksAtFlags) return;
  try {
    await session.withConnection(async (asked) => {
      if (asksMore) await owner.checkUp!(asked, session);
      if (!looksAtFlags) return;
      const loss = await deliveryCheck.recheck(
        asked,
        dispatcher.registry.values(),
        // The heartbeat limits the time of commands on its own connection.
        asked === session.connection,
        session.lastSentAfter,
      );
      if (loss === null) return;
      if (loss.error === null) return settings.onWarning(loss.message);
      // The next session checks the flags again.
      if (session.closedReason !== null || !session.isReady) return;
      owner.onLost("unresponsive", loss.from, true);
      degrade(session, server, loss.error);
    });
  } catch {
    // The heartbeat notices a lost connection, and the next session checks again.
  }
}

/** Lets the gap last while nothing can come on a desired channel although the server is connected. */
export async function degrade(
  session: UpkeptSession,
  { deliveryCheck, options: { dispatcher, settings } }: UpkeptServer,
  why: UndeliverableError,
): Promise<void> {
  const enter = (error: UndeliverableError) => {
    if (!session.enter("degraded", error)) return;
    const isRefused = error instanceof SubscribeRefusedError;
    if (settings.flags === "warn" && !isRefused) settings.onWarning(error.message);
    else settings.onError(error);
  };
  enter(why);
  // A message may mean that flags are back. Only the first one: it may be of a channel that can always
  // receive.
  const heard = new Promise<void>((resolve) => {
    session.onMessage = () => {
      session.onMessage = null;
      resolve();
    };
  });
  let last: UndeliverableError | null = why;
  for (let ms = FIRST_RECHECK_MS; last !== null; ms = Math.min(2 * ms, MAX_RECHECK_MS)) {
    try {
      const pause = delay(ms, session.signal);
      await (session.onMessage === null ? pause : Promise.race([pause, heard]));
      const still: UndeliverableError | null = await session.withConnection(async (asked) =>
        await deliveryCheck?.checkAll(asked, dispatcher.registry.values()) ?? null
      ) ??
        await session.subscriptions.retry();
      if (still !== null && still.message !== last.message) {
        enter(still);
      }
      last = still;
    } catch (error) {
      // Where the address leads to another server now, only a new connection can be asked.
      if (isOtherServer(error)) session.close(error as Error);
      // The next session checks again. A server that is only busy is asked again.
      if (session.closedReason !== null) return;
    }
  }
  session.onMessage = null;
  session.enter("ready", null);
}
