import { type Address, formatAddress, parseUrl, ServerError } from "../../mod.ts";
import type { CommandArgument, Reply } from "../../resp/mod.ts";
import type { Target } from "../connection.ts";
import { messageOf } from "../message.ts";
import type { Notes } from "../open.ts";
import { Session } from "../session.ts";
import { formatDuration } from "../top/numbers.ts";
import { fieldsOf } from "./entry.ts";
import type { Item, Sink } from "./sink.ts";

/** Errors that pass, or that another node does not give. */
const TRANSIENT = new Set([
  "ASK",
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "MOVED",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
]);

/** How long to wait before the next attempt, in ms: at first, and at most. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 3_000;

/** What a {@linkcode StreamSink} is made with. */
export interface StreamSinkOptions {
  /** The server of the stream, or any node of its cluster. */
  readonly target: Target;
  /** The key of the stream. */
  readonly stream: string;
  /** About how many entries it keeps. */
  readonly length: number;
  /** Other nodes of the same cluster to try. */
  readonly otherNodes: () => readonly string[];
  readonly output: Notes;
  /** Ends all attempts. */
  readonly signal: AbortSignal;
}

/**
 * Writes items into a stream, in order: a batch is one transaction, so the server takes all of it or
 * nothing. Whatever the server does not confirm is written again, so an entry may be there twice, but
 * with the same `seq`.
 */
export class StreamSink implements Sink {
  readonly name: string;
  readonly #options: StreamSinkOptions;
  readonly #run = Date.now().toString(36);
  #count = 0;
  #session: Session | null = null;
  #address: Address;
  /** How many nodes were tried in vain since the last success. */
  #failed = 0;

  constructor(options: StreamSinkOptions) {
    this.#options = options;
    this.#address = options.target.address;
    this.name = `the stream ${options.stream}`;
  }

  /** Writes a gap: what happened since the last entry, before this program ran, is not there. */
  async start(): Promise<void> {
    const { stream } = this.#options;
    const last = await this.#insist(async (session) => {
      const reply = await session.ask("XREVRANGE", stream, "+", "-", "COUNT", 1);
      if (!(reply instanceof ServerError)) return reply;
      if (TRANSIENT.has(reply.code)) throw reply;
      return null;
    }, 1);
    const entry = Array.isArray(last) && Array.isArray(last[0]) ? String(last[0][0]) : "";
    const from = /^(\d+)-/.exec(entry)?.[1];
    const { target } = this.#options;
    await this.#write([[
      ...["kind", "gap", "reason", "start", "node", formatAddress(target.address)],
      ...(from === undefined ? [] : ["from", from]),
      ...["to", Date.now()],
    ]]);
  }

  async take(items: readonly Item[]): Promise<void> {
    if (items.length > 0) await this.#write(items.map(fieldsOf));
  }

  end(): Promise<boolean> {
    this.#session?.close();
    return Promise.resolve(true);
  }

  async #write(entries: readonly CommandArgument[][]): Promise<void> {
    const { stream, length } = this.#options;
    const commands = entries.map((fields): [string, ...CommandArgument[]] => {
      const seq = `${this.#run}-${++this.#count}`;
      return ["XADD", stream, "MAXLEN", "~", length, "*", ...fields, "seq", seq];
    });
    await this.#insist(async (session) => {
      // In one write: the server has the whole transaction before the first answer is here.
      const answers = await Promise.all([
        session.ask("MULTI"),
        ...commands.map((command) => session.ask(...command)),
        session.ask("EXEC"),
      ]);
      const done = answers.at(-1)!;
      const refused = answers.find((answer) => answer instanceof ServerError);
      if (refused instanceof ServerError) throw refused;
      const failed = Array.isArray(done) && done.find((answer) => answer instanceof ServerError);
      if (failed instanceof ServerError) throw failed;
      if (!Array.isArray(done)) throw new Error("EXEC was not answered with a list");
      return done;
    }, entries.length);
  }

  /** Does something at the server that has the stream, until it succeeds or makes no sense. */
  async #insist(work: (session: Session) => Promise<Reply>, count: number): Promise<Reply> {
    const { output, signal } = this.#options;
    const start = Date.now();
    let hasNoted = false;
    for (let wait = FIRST_WAIT;; wait = Math.min(LONGEST_WAIT, wait * 2)) {
      let failure: unknown;
      try {
        this.#session ??= await this.#open();
        const reply = await work(this.#session);
        this.#failed = 0;
        if (hasNoted) {
          output.note(`writing to ${this.name} again after ${formatDuration(Date.now() - start)}`);
        }
        return reply;
      } catch (error) {
        failure = error;
      }
      this.#session?.close();
      this.#session = null;
      if (signal.aborted) throw new Error(this.#lost(count, failure), { cause: failure });
      if (failure instanceof ServerError) {
        if (!TRANSIENT.has(failure.code)) throw failure;
        if (this.#follow(failure)) continue;
      } else if (isPermanent(failure)) throw failure;
      this.#address = this.#nextAddress();
      if (!hasNoted) {
        output.note(`cannot write to ${this.name}: ${messageOf(failure)}; trying again`, "yellow");
      }
      hasNoted = true;
      await pause(wait, signal);
    }
  }

  #lost(count: number, failure: unknown): string {
    const entries = count === 1 ? "1 entry" : `${count} entries`;
    return `${entries} could not be written to ${this.name}: ${messageOf(failure)}`;
  }

  async #open(): Promise<Session> {
    const { target, signal } = this.#options;
    const session = await Session.open(
      { ...target, address: this.#address },
      signal,
      "keywatch-forward",
    );
    try {
      if (target.db !== "*" && target.db !== 0) await session.command("SELECT", target.db);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Whether another node was named, which is asked at once, but only a few times, because nodes may err. */
  #follow({ code, message }: ServerError): boolean {
    const where = /^(?:MOVED|ASK) \d+ (.*):(\d+)$/.exec(message);
    if (code !== "MOVED" || where === null || this.#failed++ >= 5) return false;
    const [, hostname, port] = where;
    // Without a host, it is the same one at another port.
    const here = "hostname" in this.#address ? this.#address.hostname : "localhost";
    this.#address = { hostname: hostname || here, port: Number(port) };
    return true;
  }

  /** The given server, then other nodes of its cluster, in turn. */
  #nextAddress(): Address {
    const { target, otherNodes } = this.#options;
    const others = otherNodes().flatMap((node) => {
      try {
        return [parseUrl(`redis://${node}`).address];
      } catch {
        return [];
      }
    });
    const all = [target.address, ...others];
    return all[this.#failed++ % all.length]!;
  }
}

/** Whether another attempt would end in the same way. */
function isPermanent(error: unknown): boolean {
  const { name } = error as Error;
  return name === "AuthError" || name === "TypeError" || name === "NotCapable";
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
