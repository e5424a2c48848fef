import { bytesOf } from "../../resp/message_frame.ts";
import { decodeText, type Reply, ServerError } from "../../resp/mod.ts";
import { TIMER_SLACK_MS } from "./timers.ts";
import { ConnectError, TimeoutError } from "./errors.ts";
import { clientRefused } from "./refusal.ts";

/** A channel or pattern as the server knows it. */
export interface ServerChannel {
  /** The channel's or pattern's bytes. */
  readonly bytes: Uint8Array;
  /** Whether it is subscribed with `PSUBSCRIBE`. */
  readonly isPattern: boolean;
}

/** A command, and the answer that is expected. */
export interface Request {
  /** The command's name. */
  readonly name: string;
  /** The channels that the server confirms one by one; null if the answer is a single reply. */
  readonly channels: readonly ServerChannel[] | null;
}

/** Takes an answer in the call in which it is read. */
export interface ReplyTaker {
  /** Takes the reply, its bulk strings as bytes; null if the channels were confirmed. */
  answer(reply: Reply): void;
  /** Takes the error that is the answer, or the reason why there will be none. */
  fail(error: Error): void;
}

/** A command that was sent and not answered yet. */
interface Pending extends Request {
  readonly taker: ReplyTaker;
  /** When it was sent, in ms since the epoch. */
  readonly sentAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** How many of its channels were confirmed. */
  confirmed: number;
}

/**
 * The commands that one server has not answered yet. A server answers in order, so an answer belongs to
 * the oldest of them.
 */
export class Requests {
  /**
   * When the last acknowledged command was sent, in ms since the epoch. Everything that the server
   * sent before that was received.
   */
  lastAckAt: number = Date.now();
  readonly #server: string;
  readonly #onLate: (error: TimeoutError) => void;
  readonly #pending: Pending[] = [];
  /** The last error of a server that has sent only errors; null after any other reply. */
  #refusal: ServerError | null | undefined;

  /**
   * @param server the server, for messages
   * @param onLate called when an answer is late; answers that follow can no longer be matched
   */
  constructor(server: string, onLate: (error: TimeoutError) => void) {
    this.#server = server;
    this.#onLate = onLate;
  }

  /** The last error of a server that has accepted no command, for messages; null if there is none. */
  get lastWords(): string | null {
    return this.#refusal ? ` after it said: ${this.#refusal.message}` : null;
  }

  /** The command whose answer is next; null if none is expected. */
  get oldest(): string | null {
    return this.#pending[0]?.name ?? null;
  }

  /**
   * Registers a command that is sent now.
   *
   * @param timeout how long the answer may take, in ms; Infinity without a deadline
   * @param taker takes the answer before anything that follows it is processed
   */
  take(request: Request, timeout: number, taker: ReplyTaker): void {
    const pending: Pending = {
      ...request,
      taker,
      sentAt: Date.now(),
      timer: undefined,
      confirmed: 0,
    };
    this.#pending.push(pending);
    if (timeout !== Infinity) this.#expect(pending, timeout);
  }

  /**
   * Takes a reply.
   *
   * @throws {ConnectError} if no reply was expected. A server that is full or protected sends an error
   * before the first command.
   */
  answer(reply: Reply): void {
    const pending = this.#pending[0];
    if (pending === undefined) {
      if (reply instanceof ServerError) throw clientRefused(this.#server, reply);
      throw this.#confused("sent a reply to no command");
    }
    this.#answered(pending);
    if (reply instanceof ServerError) {
      if (this.#refusal !== null) this.#refusal = reply;
      pending.taker.fail(reply);
      return;
    }
    this.#refusal = null;
    if (pending.channels === null) pending.taker.answer(reply);
    else {
      const error = this.#confused(`answered ${pending.name} without a confirmation`);
      pending.taker.fail(error);
      throw error;
    }
  }

  /**
   * Takes the confirmation of one channel.
   *
   * @returns the channel as it was requested
   * @throws {ConnectError} if it was not expected
   */
  confirm({ command, bytes }: Confirmation): ServerChannel {
    const pending = this.#pending[0];
    const awaited = pending?.channels?.[pending.confirmed];
    if (
      pending === undefined || awaited === undefined || pending.name !== command ||
      (bytes !== null && !areSame(awaited.bytes, bytes))
    ) {
      throw this.#confused("confirmed a subscription that was not requested");
    }
    this.#refusal = null;
    pending.confirmed++;
    if (pending.confirmed === pending.channels!.length) {
      this.#answered(pending);
      pending.taker.answer(null);
    }
    return awaited;
  }

  /** Fails every pending command with the reason. */
  end(reason: Error): void {
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer);
      pending.taker.fail(reason);
    }
  }

  /** Notes that the oldest command was answered. */
  #answered(pending: Pending): void {
    this.lastAckAt = pending.sentAt;
    this.#pending.shift();
    clearTimeout(pending.timer);
  }

  /** Sets the deadline of an answer. */
  #expect(pending: Pending, timeout: number, patience = 3): void {
    const due = performance.now() + timeout;
    pending.timer = setTimeout(() => {
      // The process was busy: the answer may have arrived without having been read.
      if (patience > 0 && performance.now() - due > TIMER_SLACK_MS) {
        return this.#expect(pending, timeout, patience - 1);
      }
      this.#onLate(
        new TimeoutError(
          "REPLY_TIMEOUT",
          `Cannot go on with ${this.#server}: no answer to ${pending.name} within ${timeout} ms` +
            (this.lastWords ?? "; it may be overloaded"),
          timeout,
          { server: this.#server },
        ),
      );
    }, timeout);
  }

  #confused(what: string): ConnectError {
    const server = this.#server;
    return new ConnectError("PROTOCOL_ERROR", `Cannot go on with ${server}: it ${what}`, {
      server,
    });
  }
}

/** The confirmation of a channel. */
export interface Confirmation {
  /** The command that it confirms, such as `PSUBSCRIBE`. */
  readonly command: string;
  /** The channel; null if the server names none, because nothing of this kind is subscribed. */
  readonly bytes: Uint8Array | null;
}

/** Reads the channel that a push confirms; null for a push of another kind. */
export function readConfirmation([first, name]: readonly Reply[]): Confirmation | null {
  const word = bytesOf(first);
  const [kind, un] = /^[ps]?(un)?subscribe$/.exec(word === null ? "" : decodeText(word)) ?? [];
  const bytes = bytesOf(name);
  if (kind === undefined || bytes === null && (name !== null || un === undefined)) return null;
  return { command: kind.toUpperCase(), bytes };
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
