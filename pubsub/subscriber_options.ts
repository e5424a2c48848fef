import type { DecoderLimits, MessageFrame } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import type { GapReason } from "./gap.ts";
import type { HandshakeOptions, ServerInfo } from "./connection/handshake.ts";
import type { HeartbeatOptions, Probe } from "./connection/heartbeat.ts";
import type { DroppedMessages } from "./held_messages.ts";
import type { Locator } from "./locator.ts";
import type { WantedChannels } from "./registry.ts";
import type { Secrets } from "./connection/secrets.ts";
import type { SilenceError, SilenceGuard } from "./silence_guard.ts";
import type { Dial } from "./connection/transport.ts";

/** Puts a question to a server, on the connection that is being made, or, in RESP2, on another one. */
export type AskServer = <T>(question: (connection: Connection) => Promise<T>) => Promise<T>;

/** Looks at a server before anything is subscribed on it, by a connection that takes any question. */
export type Inspect = (
  info: ServerInfo,
  connection: Connection,
  askedAt: number,
) => void | Promise<void>;

/** What a subscriber tells its owner. */
export interface SubscriberEvents {
  /** A message came, as {@linkcode MessageReceiver.message} takes it. */
  onMessage(frame: MessageFrame, receivedAt: number, sentAfter: number): void;
  /** Bytes were worked through, as {@linkcode MessageReceiver.read} takes it. */
  onRead(): Promise<void> | null;
  /** The set of channels whose messages come has changed. */
  onConfirmed(): void;
  /** A push was received that is neither a message nor a confirmation. */
  onUnusable(): void;
  /** A connection was made. Once this is over, everything wanted is subscribed on it. */
  onConnected(connection: Connection, info: ServerInfo, ask: AskServer): Promise<void>;
  /** As {@linkcode MessageReceiver.released}, at its place among the messages. */
  onReleased(channel: Uint8Array, provenAt: number): void;
  /**
   * Messages may be missing from `from` on, in ms since the epoch: the connection is lost, or nothing
   * comes by it on something wanted.
   */
  onLost(reason: GapReason, from: number): void;
  /** Messages from `from` to `to`, both in ms since the epoch, may be missing before the next. */
  onGap(reason: GapReason, from: number, to: number): void;
  /** Messages were dropped because too many came while their channels were being confirmed again. */
  onDropped(dropped: DroppedMessages): void;
  /**
   * A connection for questions has reached another server at the same address. Its answers count for
   * nothing; it is closed once this is over.
   */
  onOtherServer(info: ServerInfo, connection: Connection): Promise<void>;
  /** Messages that came steadily come no more, though the server answers. */
  onFlowEnd(): void;
  /** From a server nothing can come on something that is wanted. */
  onMuted(error: SilenceError): void;
  /** The state has changed. */
  onState(): void;
  /** It will not come back: what broke last, or why it was closed. */
  onEnd(reason: Error): void;
}

/** How to reach a server, and what to subscribe there. */
export interface SubscriberOptions extends HandshakeOptions {
  /** Says where it is. */
  readonly locator: Locator;
  /** How to get there. */
  readonly dial: Dial;
  /** How long any one answer may take, in ms. */
  readonly timeout: number;
  /** When a silent connection is given up. */
  readonly heartbeat: HeartbeatOptions;
  /** What is accepted from the server at most. */
  readonly limits: DecoderLimits;
  /** The passwords that no message may hold. */
  readonly secrets: Secrets;
  /** How many attempts in a row may fail before it gives up coming back. */
  readonly maxAttempts: number;
  /** The most messages, and bytes of them, held until every channel is confirmed again. */
  readonly queue: { readonly items: number; readonly bytes: number };
  /** Looks for what would keep the server silent. */
  readonly silenceGuard: SilenceGuard;
  /** The register of what is wanted. */
  readonly wanted: WantedChannels;
  /**
   * Looks at a server before anything is subscribed on it.
   *
   * @throws when it is not to be used
   */
  readonly inspect: Inspect;
  /** What to ask a server for a sign of life. */
  readonly probe: (info: ServerInfo) => Probe;
  /** Takes what comes. */
  readonly events: SubscriberEvents;
}
