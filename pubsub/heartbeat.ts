import { type Reply, ServerError } from "../resp/mod.ts";
import type { Connection } from "./connection/connection.ts";
import { TIMER_SLACK_MS } from "./connection/timers.ts";
import { isBusy } from "./connection/refusal.ts";
import { TimeoutError } from "./connection/errors.ts";

/**
 * When a silent connection is asked whether it still lives.
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
  /** How long nothing may come before a `PING` is sent, in ms. */
  readonly interval: number;
  /** How long after a `PING` nothing may come before the connection is given up, in ms. */
  readonly timeout: number;
  /**
   * How often a connection on which something comes is sent a `PING`, in ms. The answer proves that
   * all published before the question has been received, so after a loss a gap begins at most so
   * much earlier than the loss, and the round trip. More often costs the server more commands.
   */
  readonly busyInterval: number;
}

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
  readonly #options: HeartbeatOptions;
  #probe: Probe;
  readonly #messages: () => number;
  readonly #onFlowEnd: () => void;
  /** When the current flow began, how many messages preceded it, and when the last one was seen. */
  #flow: { readonly since: number; readonly before: number; lastAt: number } | null = null;
  #flowTimer: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #asked: number | null = null;
  #lastAsked = -Infinity;
  /** The number of messages at the time of the last probe. */
  #messagesBefore = 0;
  /** Whether a probe is due for messages that no reply covers yet. */
  #isUncovered = false;
  /** Whether something is expected that was sent after the probe under way. */
  #isAwaited = false;
  #heard = performance.now();
  #stopped = false;

  /**
   * @param messages returns how many messages the connection has received
   * @param onFlowEnd called when a steady flow of messages ends although the server replies
   */
  constructor(
    connection: Connection,
    options: HeartbeatOptions,
    probe: Probe = PING,
    messages: () => number = () => 0,
    onFlowEnd: () => void = () => {},
  ) {
    this.#connection = connection;
    this.#probe = probe;
    this.#messages = messages;
    this.#onFlowEnd = onFlowEnd;
    this.#options = options;
    this.#wakeAt(this.#heard + options.interval);
  }

  /** Notes that bytes arrived and were processed. */
  heard(): void {
    this.#heard = performance.now();
    if (this.#asked === null) this.#askSoon();
  }

  /** Has a probe sent soon, because something is expected from the server. */
  expect(): void {
    if (this.#asked === null) this.#askSoon();
    else this.#isAwaited = true;
  }

  #askSoon(): void {
    const now = performance.now();
    if (now - this.#lastAsked >= this.#options.busyInterval) this.#ask(now);
    else this.#askWhenDue();
  }

  /** Schedules a probe for the messages since the last one, even if no more follow. */
  #askWhenDue(): void {
    if (this.#isUncovered) return;
    this.#isUncovered = true;
    const due = this.#lastAsked + this.#options.busyInterval;
    if (due < this.#due) this.#wakeAt(due);
  }

  /** How long the probe under way has been without a reply or any other byte, in ms; 0 without a probe. */
  get silentFor(): number {
    return this.#asked === null ? 0 : performance.now() - Math.max(this.#asked, this.#heard);
  }

  /** Stops sending probes. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#flowTimer);
  }

  #ask(now: number): void {
    if (this.#stopped) return;
    this.#asked = now;
    this.#lastAsked = now;
    this.#isUncovered = this.#isAwaited = false;
    this.#followFlow(now);
    this.#messagesBefore = this.#messages();
    const { timeout } = this.#options;
    if (now + timeout < this.#due) this.#wakeAt(now + timeout);
    this.#sendProbe();
  }

  async #sendProbe(): Promise<void> {
    const { command, args = [], onReply } = this.#probe;
    const askedAt = Date.now();
    try {
      onReply(await this.#connection.send(command, ...args), askedAt);
    } catch (error) {
      if (!(error instanceof ServerError)) return this.stop();
      if (!isBusy(error)) this.#probe = PING;
    }
    this.#onAnswer();
  }

  #onAnswer(): void {
    this.#asked = null;
    if (this.#isAwaited || this.#messages() !== this.#messagesBefore) return this.#askWhenDue();
    this.#awaitFlow();
    const due = this.#heard + this.#options.interval;
    if (due < this.#due) this.#wakeAt(due);
  }

  #followFlow(now: number): void {
    const before = this.#messagesBefore;
    if (this.#messages() === before) return;
    if (this.#flow === null || now - this.#flow.lastAt > PAUSE_MS) {
      this.#flow = { since: now, before, lastAt: now };
    } else this.#flow.lastAt = now;
  }

  /** Called if no message came since the last probe: after a steady flow, more are expected soon. */
  #awaitFlow(): void {
    clearTimeout(this.#flowTimer);
    if (this.#flow === null || this.#stopped) return;
    const { since, before, lastAt } = this.#flow;
    const count = this.#messages();
    if (lastAt - since < STEADY_FLOW.ms || count - before < STEADY_FLOW.messages) return;
    const due = performance.now() + PAUSE_MS;
    this.#flowTimer = setTimeout(() => {
      if (this.#messages() !== count) return;
      // What arrived while this process was busy has not been read yet.
      if (performance.now() - due > TIMER_SLACK_MS) return this.#awaitFlow();
      this.#flow = null;
      // The connection may have broken after the last reply.
      if (this.#asked === null) this.#ask(performance.now());
      this.#onFlowEnd();
    }, PAUSE_MS);
  }

  #wakeAt(due: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, due - performance.now()));
  }

  #wake(): void {
    const now = performance.now();
    const { interval, timeout } = this.#options;
    if (this.#asked === null) {
      const due = this.#isUncovered ? this.#due : this.#heard + interval;
      // Timers may fire a little early.
      if (now + 1 < due) return this.#wakeAt(due);
      this.#ask(now);
      return this.#wakeAt(now + timeout);
    }
    const due = Math.max(this.#asked, this.#heard) + timeout;
    if (now + 1 < due) return this.#wakeAt(due);
    // What arrived while this process was busy has not been read yet.
    if (now - this.#due > TIMER_SLACK_MS) return this.#wakeAt(now + timeout);
    const { server } = this.#connection;
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
