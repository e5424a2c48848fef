import type { MessageFrame } from "../../resp/mod.ts";
import { backoff, STEADY_MS } from "../retries.ts";
import type { Connection } from "../connection/connection.ts";
import { MessageReceiver } from "../connection/receiver.ts";
import { delay } from "../connection/timers.ts";
import { nameLibrary } from "../connection/handshake.ts";
import { Heartbeat, type HeartbeatTimes } from "../heartbeat.ts";
import type { ActiveSentinel, Sentinels } from "./sentinels.ts";
import {
  openSentinel,
  readSwitch,
  sameAddress,
  type SentinelView,
  type SessionOptions,
  SWITCH_CHANNELS,
} from "./session.ts";
import type { SentinelServer } from "./target.ts";
import type { Address } from "../connection/transport.ts";

/** How long a sentinel that is followed may be silent before it is asked whether it lives, in ms. */
const SENTINEL_HEARTBEAT_MS = 1_000;

/** How to follow the sentinels, and where to report. */
export interface WatchOptions extends SessionOptions {
  /** When a silent sentinel is given up. */
  readonly heartbeat: HeartbeatTimes;
  /** Ends it all. */
  readonly signal: AbortSignal;
  /** The primary is another one now: where, and who says so. */
  onSwitch(address: Address, sentinel: string): void;
  /** Called once when no sentinel can be followed, until one could be. */
  onLost(last: Error): void;
}

/**
 * Follows what the sentinels publish, one sentinel at a time and another when that one is lost,
 * until the signal is aborted.
 *
 * One is enough: another that knows more is asked when this one or the primary is lost, and the role
 * check finds a primary that was demoted meanwhile.
 */
export async function followSentinels(sentinels: Sentinels, options: WatchOptions): Promise<void> {
  const { signal } = options;
  let told = false;
  /** In a row: how many were lost soon, and how many could not be followed at all. */
  let failed = 0;
  let missed = 0;
  while (!signal.aborted) {
    const sentinel = sentinels.order.first;
    const began = performance.now();
    const followed = new FollowedSentinel(sentinel, sentinels, options);
    const reason = await followed.follow();
    if (signal.aborted) return;
    sentinels.order.putLast(sentinel);
    missed = followed.address === null ? missed + 1 : 0;
    failed++;
    if (missed === 0 && performance.now() - began > STEADY_MS) {
      told = false;
      failed = 0;
    }
    if (missed >= sentinels.order.size && !told) {
      told = true;
      options.onLost(reason);
    }
    // Each of the others at once, and then with patience.
    await delay(backoff(Math.max(0, failed - sentinels.order.size + 1)), signal)
      .catch(() => {});
  }
}

/** One sentinel that is followed, on a connection that does nothing else. */
class FollowedSentinel extends MessageReceiver implements ActiveSentinel {
  /** The primary it knows; null before it has said. */
  address: Address | null = null;
  readonly #sentinel: SentinelServer;
  readonly #sentinels: Sentinels;
  readonly #options: WatchOptions;
  #connection: Connection | null = null;
  #heartbeat: Heartbeat | null = null;
  #lose!: (reason: Error) => void;

  constructor(sentinel: SentinelServer, sentinels: Sentinels, options: WatchOptions) {
    super();
    this.#sentinel = sentinel;
    this.#sentinels = sentinels;
    this.#options = options;
  }

  get lastAckAt(): number {
    return this.#connection!.lastAckAt;
  }

  /** Follows it until it is lost; says why it was. */
  async follow(): Promise<Error> {
    const { signal, heartbeat } = this.#options;
    let lost!: Promise<Error>;
    const receive = () => {
      lost = new Promise((resolve) => this.#lose = resolve);
      return this;
    };
    try {
      const { connection, info } = await openSentinel(
        this.#sentinel,
        this.#options,
        signal,
        receive,
      );
      this.#connection = connection;
      nameLibrary(connection);
      await connection.subscribe(CHANNELS);
      if (connection.closedReason !== null) return connection.closedReason;
      this.#heartbeat = new Heartbeat(connection, {
        ...heartbeat,
        interval: Math.min(heartbeat.interval, SENTINEL_HEARTBEAT_MS),
      });
      // On another connection: RESP2 takes no other command on one that has subscribed.
      const view = await (info.protocol === 3
        ? this.#sentinels.read(this.#sentinel, connection)
        : this.#sentinels.ask(this.#sentinel, signal, info));
      // What was published meanwhile is newer.
      if (this.address === null) {
        this.#onView(view);
      }
      return await lost;
    } catch (error) {
      return error as Error;
    } finally {
      this.#connection?.close();
      this.#sentinels.follow(null);
    }
  }

  override read(): null {
    this.#heartbeat?.heard();
    return null;
  }

  override closed(reason: Error): void {
    this.#heartbeat?.stop();
    this.#lose(reason);
  }

  override message(frame: MessageFrame): void {
    const { bytes, channelStart, channelEnd, payloadStart, payloadEnd } = frame;
    const channel = decoder.decode(bytes.subarray(channelStart, channelEnd));
    const text = decoder.decode(bytes.subarray(payloadStart, payloadEnd));
    // Nothing is subscribed before the connection is known.
    if (this.#connection === null) return;
    const address = readSwitch(this.#connection, channel, text, this.#options.name);
    if (address === null) return;
    this.#setPrimary(address);
    const { primary } = this.#sentinels;
    if (primary === null || !sameAddress(primary.address, address)) this.#tellSwitch(address);
  }

  #onView(view: SentinelView): void {
    this.#setPrimary(view.address);
    if (this.#sentinels.isAhead(view)) this.#tellSwitch(view.address);
  }

  #setPrimary(address: Address): void {
    // What it has proven of the previous primary is kept.
    this.#sentinels.follow(null);
    this.address = address;
    this.#sentinels.follow(this);
  }

  #tellSwitch(address: Address): void {
    this.#sentinels.order.putFirst(this.#sentinel);
    this.#options.onSwitch(address, this.#sentinel.node);
  }
}

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();
const CHANNELS = /* @__PURE__ */ SWITCH_CHANNELS.map((name) => ({
  bytes: encoder.encode(name),
  isPattern: false,
}));
