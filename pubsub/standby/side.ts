// Imports types alone: values that other chunks share would divide these in every bundle.
import type { Connection } from "../connection/connection.ts";
import type { Delivery } from "../dispatcher.ts";
import type { Server } from "../server.ts";
import type { ServerGate } from "../server_owner.ts";
import type { Reply } from "../../resp/mod.ts";
import type { MatchedStream, StreamEvent } from "./matcher.ts";

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
  const [role, ...rest] = Array.isArray(reply)
    ? reply.map((item) => item instanceof Uint8Array ? String.fromCharCode(...item) : item)
    : [];
  if (role === "master" || role === "primary") {
    return typeof rest[0] === "number" ? { source: null, isLinked: true, offset: rest[0] } : null;
  }
  const [host, port, state, offset] = rest;
  if (typeof host !== "string" || typeof port !== "number" || typeof offset !== "number") {
    return null;
  }
  return { source: `${host}:${port}`, isLinked: state === "connected", offset };
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
      connection.sendInOrder(["ROLE"], {
        answer: (reply) => {
          this.#isAsking = false;
          this.#place(reply, epoch);
        },
        fail: (error) => this.#fail(error),
      });
    } else if (this.#beside === null) this.#openBeside(connection);
    else {
      this.#isAsking = true;
      this.#askBeside(connection, this.#beside, epoch).then(
        () => this.#isAsking = false,
        (error) => this.#fail(error),
      );
    }
  }

  #place(reply: Reply, epoch: number): void {
    const place = readPlace(reply);
    if (place !== null) this.#taker.placed(this, place, epoch);
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
      const reply = await beside.request("ROLE");
      await ping(() => {
        isFound = this.received === before;
        before = this.received;
        if (isFound) this.#place(reply, epoch);
      });
    }
  }
}
