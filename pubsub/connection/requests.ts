import { bytesOf } from "../../resp/message_frame.ts";
import { decodeText, type Reply, ServerError } from "../../resp/mod.ts";
import { TIMER_SLACK_MS } from "./timers.ts";
import { ConnectError, TimeoutError } from "./errors.ts";
import { unusable } from "./refusal.ts";

/** A channel or pattern as the server knows it. */
export interface ServerChannel {
  /** The channel's or pattern's bytes. */
  readonly bytes: Uint8Array;
  /** Whether it is subscribed with `PSUBSCRIBE`. */
  readonly isPattern: boolean;
  /** Whether it is subscribed with `SSUBSCRIBE`. */
  readonly isShard?: boolean;
}

/** What a command is answered with. */
export interface Request {
  /** The command's name, for messages. */
  readonly name: string;
  /** The channels that are to be confirmed, each by itself; null where one reply is the answer. */
  readonly channels: readonly ServerChannel[] | null;
  /** Whether they are to be confirmed as subscribed, or as no longer so. */
  readonly subscribed: boolean;
  /** Whether each channel has a command of its own, so that the taker is called for each in order. */
  readonly isEach?: boolean;
}

/** Who takes an answer, in the call in which it is read. */
export interface ReplyTaker {
  /** Takes the reply, its bulk strings as bytes; null when the channels have been confirmed. */
  answer(reply: Reply): void;
  /** The answer is an error, or there will be none. */
  fail(error: Error): void;
}

/** A command that has been sent and waits for its answer. */
interface Pending extends Request {
  readonly taker: ReplyTaker;
  /** When it was sent, in ms since the epoch. */
  readonly sentAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** How many of its channels have been confirmed, or refused. */
  answered: number;
}

/**
 * The commands that one server has been sent and has not answered yet.
 *
 * An answer is that to the oldest of them: a server works through its commands in order.
 */
export class Requests {
  /**
   * All that the server sent before this time has been received, in ms since the epoch: when the
   * last command that has been answered was sent.
   */
  lastAckAt: number = Date.now();
  readonly #server: string;
  readonly #onLate: (error: TimeoutError) => void;
  readonly #pending: Pending[] = [];
  /** The last error of a server that has replied with nothing else; null once it has. */
  #refusal: ServerError | null | undefined;

  /**
   * Begins with none.
   *
   * @param server the server, for messages
   * @param onLate called when an answer is not there in time; those that come later can no longer be
   * told apart
   */
  constructor(server: string, onLate: (error: TimeoutError) => void) {
    this.#server = server;
    this.#onLate = onLate;
  }

  /** What a server that has accepted no command said last, for messages; null if that is nothing. */
  get lastWords(): string | null {
    return this.#refusal ? ` after it said: ${this.#refusal.message}` : null;
  }

  /** The command whose answer is the next; null when none is due. */
  get oldest(): string | null {
    return this.#pending[0]?.name ?? null;
  }

  /**
   * Has the answer to a command that is sent now taken at once, before what came after it is looked at.
   *
   * @param timeout how long it may take, in ms; Infinity for whoever keeps the time
   */
  take(request: Request, timeout: number, taker: ReplyTaker): void {
    const pending: Pending = {
      ...request,
      taker,
      sentAt: Date.now(),
      timer: undefined,
      answered: 0,
    };
    this.#pending.push(pending);
    if (timeout !== Infinity) this.#expect(pending, timeout);
  }

  /**
   * Takes a reply.
   *
   * @throws {ConnectError} when no reply was due. If it is an error, that is the reason: a server that
   * is full or protected says so before it is asked anything.
   */
  answer(reply: Reply): void {
    const pending = this.#pending[0];
    if (pending === undefined) {
      if (reply instanceof ServerError) throw unusable(this.#server, reply);
      throw this.#confused("answered what nobody asked");
    }
    pending.answered++;
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
   * @returns the channel as it was asked for
   * @throws {ConnectError} when it was not due
   */
  confirm({ isPattern, isShard, subscribed, bytes }: Confirmation): ServerChannel {
    const pending = this.#pending[0];
    const awaited = pending?.channels?.[pending.answered];
    if (
      pending === undefined || awaited === undefined || pending.subscribed !== subscribed ||
      awaited.isPattern !== isPattern || (awaited.isShard ?? false) !== isShard ||
      (bytes !== null && !areSame(awaited.bytes, bytes))
    ) {
      throw this.#confused("confirmed a subscription nobody asked for");
    }
    this.#refusal = null;
    pending.answered++;
    if (pending.isEach || pending.answered === pending.channels!.length) {
      this.#answered(pending);
      pending.taker.answer(null);
    }
    return awaited;
  }

  /** Nothing more is answered: whoever waits gets the reason. */
  end(reason: Error): void {
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer);
      const left = pending.isEach ? pending.channels!.length - pending.answered : 1;
      for (let n = 0; n < left; n++) pending.taker.fail(reason);
    }
  }

  /** The oldest command has been answered, as a whole or for one of its channels. */
  #answered(pending: Pending): void {
    this.lastAckAt = pending.sentAt;
    if (pending.isEach && pending.answered < pending.channels!.length) return;
    this.#pending.shift();
    clearTimeout(pending.timer);
  }

  /** Gives an answer so many ms to come. */
  #expect(pending: Pending, timeout: number, patience = 3): void {
    const due = performance.now() + timeout;
    pending.timer = setTimeout(() => {
      // The answer may be there, unread.
      if (patience > 0 && performance.now() - due > TIMER_SLACK_MS) {
        return this.#expect(pending, timeout, patience - 1);
      }
      this.#onLate(
        new TimeoutError(
          "REPLY_TIMEOUT",
          `Cannot go on with ${this.#server}: no answer to ${pending.name} within ${timeout} ms` +
            (this.lastWords ?? "; it may be overloaded, or no Redis server at all"),
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

/** What a server has confirmed. */
export interface Confirmation {
  /** Whether it confirms a pattern, or else a channel. */
  readonly isPattern: boolean;
  /** Whether the channel is a shard channel. */
  readonly isShard: boolean;
  /** Whether it is subscribed now. */
  readonly subscribed: boolean;
  /** The channel. Null when the server names none, because nothing of this kind is subscribed. */
  readonly bytes: Uint8Array | null;
}

const KINDS: ReadonlyMap<string, Omit<Confirmation, "bytes">> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ ["", "p", "s"].flatMap((kind) =>
    [true, false].map((subscribed) => [
      `${kind}${subscribed ? "" : "un"}subscribe`,
      { isPattern: kind === "p", isShard: kind === "s", subscribed },
    ])
  ),
);

/** The channel that a push confirms, or null for a push of another kind. */
export function readConfirmation([first, name]: readonly Reply[]): Confirmation | null {
  const word = bytesOf(first);
  const kind = word === null ? undefined : KINDS.get(decodeText(word));
  if (kind === undefined) return null;
  const { isPattern, isShard, subscribed } = kind;
  const bytes = bytesOf(name);
  if (bytes === null && (name !== null || subscribed)) return null;
  return { isPattern, isShard, subscribed, bytes };
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
