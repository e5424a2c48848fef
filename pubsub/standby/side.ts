// Imports types alone: values that other chunks share would divide these in every bundle.
import type { Connection } from "../connection/connection.ts";
import type { Delivery } from "../dispatcher.ts";
import type { Server } from "../server.ts";
import type { ServerGate } from "../server_owner.ts";
import type { Reply } from "../../resp/mod.ts";
import type { MatchedStream, StreamEvent } from "./matcher.ts";

/** Has the offset also of a replica that has lost its primary, for which `ROLE` has none. */
const INFO = ["INFO", "replication"] as const;

/** How often a position is looked for in RESP2 before the next pause. */
const TRIES = 5;

/** An event, and the messages that it consists of so far. */
export interface StandbyEvent extends StreamEvent {
  readonly deliveries: Delivery[];
  isDelivered: boolean;
  /** Consumers that have received it from the other stream. */
  served: ReadonlySet<unknown> | null;
}

/** What `ROLE` says of a server at a place in its stream. */
export interface Place {
  /** Whom it follows, as `host:port`; null of a primary. */
  readonly source: string | null;
  /** Whether the stream goes on: a replica may have lost its primary. */
  readonly isLinked: boolean;
  /** Its replication offset. */
  readonly offset: number;
}

/** Reads the reply to `ROLE`; null if it is not understood. */
export function readPlace(reply: Reply): Place | null {
  const [role, ...rest] = Array.isArray(reply) ? reply.map(toText) : [];
  if (role === "master" || role === "primary") {
    return typeof rest[0] === "number" ? { source: null, isLinked: true, offset: rest[0] } : null;
  }
  const [host, port, state, offset] = rest;
  if (typeof host !== "string" || typeof port !== "number" || typeof offset !== "number") {
    return null;
  }
  return { source: `${host}:${port}`, isLinked: state === "connected", offset };
}

/** Reads the replication offset in the reply to `INFO replication`. */
function readOffset(reply: Reply): number | null {
  const [, offset] = /^master_repl_offset:(\d+)/m.exec(String(toText(reply))) ?? [];
  return offset === undefined ? null : Number(offset);
}

function toText(reply: Reply): Reply {
  return reply instanceof Uint8Array ? String.fromCharCode(...reply) : reply;
}

/** What takes the stream of a side. */
export interface SideTaker {
  take(side: Side, delivery: Delivery): void;
  /** Its keys were discarded, at this place; `report` reports that. */
  flushed(side: Side, report: () => void): void;
  /** What `ROLE` says at this place. `epoch` is that of the moment when it was sent. */
  placed(side: Side, place: Place, epoch: number): void;
  /** The server refuses `ROLE`. */
  refused(side: Side, error: Error): void;
  readonly epoch: number;
}

/** One of the two streams: that of the primary, or that of its replica. */
export class Side implements ServerGate {
  /** The server. */
  server!: Server;
  /** What is compared; null while the server is not ready. */
  stream: MatchedStream<StandbyEvent> | null = null;
  /** The last event of the connection. */
  last: StandbyEvent | null = null;
  /** The number of messages. */
  received = 0;
  readonly #taker: SideTaker;
  /** Whether `ROLE` has not been answered. */
  #isAsking = false;
  /** In RESP2, takes `ROLE`: a connection that has subscribed does not. */
  #beside: Connection | null = null;
  #isOpening = false;

  constructor(taker: SideTaker) {
    this.#taker = taker;
  }

  pass(delivery: Delivery): void {
    this.received++;
    this.#taker.take(this, delivery);
  }

  mark(report: () => void): void {
    this.#taker.flushed(this, report);
  }

  connected(): Promise<void> {
    this.last = null;
    this.#isAsking = false;
    return Promise.resolve();
  }

  released(): void {}

  /** Asks for the role, unless a question is under way. */
  ask(): void {
    const { connection, info } = this.server;
    if (connection === null || this.#isAsking) return;
    const { epoch } = this.#taker;
    if (info!.protocol === 3) {
      this.#isAsking = true;
      const fail = (error: Error) => this.#fail(error);
      const answer = (reply: Reply) => {
        this.#isAsking = false;
        const place = readPlace(reply);
        if (place === null) return;
        if (place.isLinked) return this.#taker.placed(this, place, epoch);
        this.#isAsking = true;
        const answer = (reply: Reply) => {
          this.#isAsking = false;
          const offset = readOffset(reply);
          if (offset !== null) this.#taker.placed(this, { ...place, offset }, epoch);
        };
        connection.sendInOrder(INFO, { answer, fail });
      };
      connection.sendInOrder(["ROLE"], { answer, fail });
    } else if (this.#beside === null) this.#openBeside(connection);
    else {
      this.#isAsking = true;
      this.#askBeside(connection, this.#beside, epoch).then(
        () => this.#isAsking = false,
        (error) => this.#fail(error),
      );
    }
  }

  #fail(error: Error): void {
    this.#isAsking = false;
    if (error.name === "ServerError") this.#taker.refused(this, error);
  }

  /** Keeps a second connection open, as long as the first one lasts. */
  async #openBeside(connection: Connection): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    try {
      await this.server.withConnection(async (beside) => {
        // Nothing is subscribed yet, and nothing could be while this one is in use.
        if (beside === connection) return;
        this.#beside = beside;
        const { signal } = beside;
        if (!signal.aborted) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }
      });
    } catch {
      // The next question tries again.
    }
    this.#beside = null;
    this.#isOpening = false;
  }

  /** Between two replies of the first connection with no message between them, there is only one place. */
  async #askBeside(connection: Connection, beside: Connection, epoch: number): Promise<void> {
    const ping = (answer: () => void) =>
      new Promise<void>((resolve, fail) => {
        connection.sendInOrder(["PING"], {
          answer() {
            answer();
            resolve();
          },
          fail,
        });
      });
    let before = -1;
    await ping(() => before = this.received);
    for (let isFound = false, tries = 0; !isFound && tries < TRIES; tries++) {
      const place = readPlace(await beside.request("ROLE"));
      if (place === null) return;
      const offset = place.isLinked ? place.offset : readOffset(await beside.request(...INFO));
      await ping(() => {
        isFound = this.received === before;
        before = this.received;
        if (isFound && offset !== null) this.#taker.placed(this, { ...place, offset }, epoch);
      });
    }
  }
}
