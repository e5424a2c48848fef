import { type Reply, ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { TIMER_SLACK_MS } from "./connection/timers.ts";
import { isBusy } from "./connection/refusal.ts";
import { TimeoutError } from "./connection/errors.ts";

/**
 * When a connection is checked with `PING`.
 *
 * @example
 * ```ts no-run
 * import { connect, type HeartbeatOptions } from "@keywatch/keywatch";
 *
 * const heartbeat: HeartbeatOptions = { interval: 2_000, timeout: 1_000, busyInterval: 100 };
 * await using notifications = await connect("redis://localhost:6379", { heartbeat });
 * await notifications.subscribeKeyspace("user:*"); // A dead connection is noticed within 3 s.
 * ```
 */
export interface HeartbeatOptions {
  /** How long nothing may arrive before a `PING` is sent, in ms. Default: 15,000. */
  readonly interval?: number | undefined;
  /** How long nothing may arrive after a `PING` before the connection is closed, in ms. Default: 5,000. */
  readonly timeout?: number | undefined;
  /**
   * How often a `PING` is sent while messages arrive, in ms. Its answer proves that everything published
   * before it has been received. So a gap begins earlier than the loss by at most this time and a round
   * trip. A shorter time costs the server more commands. Default: 100.
   */
  readonly busyInterval?: number | undefined;
}

/** These options with their defaults. */
export type HeartbeatTimes = Readonly<Record<keyof HeartbeatOptions, number>>;

/** Messages flow until none has come for this long, in ms. */
const PAUSE_MS = 500;

/** A flow that lasts for at least so many ms, with so many messages, is steady. */
const STEADY_FLOW = { ms: 1_000, messages: 20 } as const;

/** The command that a heartbeat sends. */
export interface Probe {
  /** The command. */
  readonly command: string;
  /** Its arguments; none if left out. */
  readonly args?: readonly string[];
  /**
   * Takes the reply. An error reply shows that the server is alive too, but is not passed on: a server
   * that refuses the command is sent `PING` from then on.
   *
   * @param askedAt when the command was sent, in ms since the epoch
   */
  onReply(reply: Reply, askedAt: number): void;
}

/** A plain `PING`. */
export const PING: Probe = { command: "PING", onReply() {} };

/**
 * Sends probes, `PING` by default, on one connection.
 *
 * - If nothing arrives after a probe, the connection is half open and is closed.
 * - A reply proves that everything the server sent before the probe was received. While messages
 *   arrive, probes are therefore sent regularly, so that a gap begins close to the loss.
 * - If a steady flow of messages ends although the server replies, `onFlowEnd` is called.
 */
export class Heartbeat {
  readonly #connection: Connection;
  readonly #options: HeartbeatTimes;
  #probe: Probe;
  readonly #messages: () => number;
  readonly #onFlowEnd: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires; Infinity while there is none. */
  #timerAt = Infinity;
  /** When the probe under way was sent; null if there is none. */
  #asked: number | null = null;
  #lastAsked = -Infinity;
  #heard = performance.now();
  /** Whether something came, or is awaited, that the last probe does not cover. */
  #isUncovered = false;
  /** The number of messages at the time of the last probe. */
  #messagesBefore: number;
  /** When the current flow began, how many messages preceded it, and when the last one was seen. */
  #flow: { readonly since: number; readonly before: number; lastAt: number } | null = null;
  /** When a steady flow has ended unless a message comes before; Infinity without one. */
  #flowEndsAt = Infinity;
  #stopped = false;

  /**
   * @param messages returns how many messages the connection has received
   * @param onFlowEnd called when a steady flow of messages ends although the server replies
   */
  constructor(
    connection: Connection,
    options: HeartbeatTimes,
    probe: Probe = PING,
    messages: () => number = () => 0,
    onFlowEnd: () => void = () => {},
  ) {
    this.#connection = connection;
    this.#probe = probe;
    this.#messages = messages;
    this.#messagesBefore = messages();
    this.#onFlowEnd = onFlowEnd;
    this.#options = options;
    this.#schedule();
  }

  /** Notes that bytes arrived and were processed. */
  heard(): void {
    this.#heard = performance.now();
    if (this.#asked === null) this.expect();
  }

  /** Has a probe sent soon, because something is expected from the server. */
  expect(): void {
    this.#isUncovered = true;
    if (this.#asked !== null) return;
    const now = performance.now();
    if (now - this.#lastAsked >= this.#options.busyInterval) this.#ask(now);
    else this.#schedule();
  }

  /** How long the probe under way has been without a reply or any other byte, in ms; 0 without a probe. */
  get silentFor(): number {
    return this.#asked === null ? 0 : performance.now() - Math.max(this.#asked, this.#heard);
  }

  /** Stops sending probes. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** When there is something to do next. */
  get #due(): number {
    const { interval, timeout, busyInterval } = this.#options;
    if (this.#asked !== null) return Math.max(this.#asked, this.#heard) + timeout;
    if (this.#isUncovered) return this.#lastAsked + busyInterval;
    return Math.min(this.#heard + interval, this.#flowEndsAt);
  }

  /** Sets the timer, unless it fires before. */
  #schedule(due: number = this.#due): void {
    if (this.#stopped || due >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, due - performance.now()));
  }

  #wake(): void {
    const now = performance.now();
    // What arrived while this process was busy has not been read yet.
    const isLate = now - this.#timerAt > TIMER_SLACK_MS;
    this.#timerAt = Infinity;
    // Timers may fire a little early.
    if (now + 1 < this.#due) return this.#schedule();
    if (this.#asked !== null) {
      if (isLate) this.#schedule(now + this.#options.timeout);
      else this.#giveUp();
      return;
    }
    const isFlowEnd = !this.#isUncovered && this.#flowEndsAt <= now + 1;
    if (isFlowEnd && isLate) {
      this.#flowEndsAt = now + PAUSE_MS;
      return this.#schedule();
    }
    // After a flow too: the connection may have broken after the last reply.
    this.#ask(now);
    if (!isFlowEnd) return;
    this.#flow = null;
    this.#onFlowEnd();
  }

  async #ask(now: number): Promise<void> {
    if (this.#stopped) return;
    this.#asked = this.#lastAsked = now;
    this.#isUncovered = false;
    this.#flowEndsAt = Infinity;
    this.#followFlow(now);
    this.#schedule();
    const { command, args = [], onReply } = this.#probe;
    const askedAt = Date.now();
    try {
      onReply(await this.#connection.send(command, ...args), askedAt);
    } catch (error) {
      if (!(error instanceof ServerError)) return this.stop();
      if (!isBusy(error)) this.#probe = PING;
    }
    this.#asked = null;
    if (this.#messages() !== this.#messagesBefore) this.#isUncovered = true;
    else if (this.#isSteady) this.#flowEndsAt = performance.now() + PAUSE_MS;
    this.#schedule();
  }

  #followFlow(now: number): void {
    const before = this.#messagesBefore;
    this.#messagesBefore = this.#messages();
    if (this.#messagesBefore === before) return;
    if (this.#flow === null || now - this.#flow.lastAt > PAUSE_MS) {
      this.#flow = { since: now, before, lastAt: now };
    } else this.#flow.lastAt = now;
  }

  get #isSteady(): boolean {
    if (this.#flow === null) return false;
    const { since, before, lastAt } = this.#flow;
    return lastAt - since >= STEADY_FLOW.ms &&
      this.#messagesBefore - before >= STEADY_FLOW.messages;
  }

  #giveUp(): void {
    const { server } = this.#connection;
    const { timeout } = this.#options;
    this.#connection.close(
      new TimeoutError(
        "REPLY_TIMEOUT",
        `The connection to ${server} is dead: no answer to ${this.#probe.command} within ` +
          `${timeout} ms; the server or the network hangs`,
        timeout,
        { server },
      ),
    );
  }
}
