import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import { readRole, type Role } from "../../pubsub/connection/info.ts";
import type { Delivery, Dispatcher } from "../../pubsub/dispatcher.ts";
import type { WithConnection } from "../../pubsub/side_connection.ts";
import { ServerError } from "../../resp/mod.ts";
import type { MigrationFilter } from "../migration/filter.ts";
import type { AskedNode, NodeReport, NodeStream } from "../migration/node_stream.ts";
import { LIST_MOVES, requestReport } from "./report.ts";
import { fenceOf, slotOfFence, type WatchedSlots } from "./watched_slots.ts";

/** How soon a report that failed is requested again, in ms. */
const RETRY_MS = 100;

/** The node of a gate. */
export interface GatedNode {
  readonly id: string;
  /** The node's name, as `host:port`. */
  readonly node: string;
  /** Since when the node was not heard last though others were, in ms since the epoch; null if it never was. */
  readonly unheardFrom: number | null;
  /** Whether the node has been a primary all the time since it was connected to. */
  wasPrimary(connection: Connection): Promise<boolean>;
  /** A message has come. */
  onReceived(): void;
  /** There is another connection. */
  onConnected(): void;
  /** Notes where the node stands in its replication stream. */
  readHistory(connection: Connection): Promise<void>;
  /** Events wait for the answer of the node. */
  expect(): void;
  /** The node has reported, asked at `askedAt`, in ms since the epoch. */
  reported(report: NodeReport, askedAt: number): void;
}

/** What all gates share, and where they report. */
export interface GateContext {
  readonly dispatcher: Dispatcher;
  /** Distinguishes events from artefacts. */
  readonly filter: MigrationFilter<Delivery>;
  /** Whether fences are to be set. */
  readonly hasFences: boolean;
  /** The time in ms, in which what this process was too busy to read does not count. */
  readonly clock: number;
  /** How long two pings of a node, and two reports, have to be apart, in ms. */
  readonly spacing: number;
  /** Which fences are desired, and whether nodes have to say where they hand slots over to. */
  readonly slots: Pick<WatchedSlots, "toFence" | "isNarrow">;
  /** Which slots a node owns, and which not, by fences set after it was connected to. */
  onFences(id: string, owned: readonly number[], denied: readonly number[]): void;
  /** A node has stopped owning a slot, at some time after `provenAt`, in ms since the epoch. */
  onReleased(id: string, slot: number, provenAt: number): void;
}

interface FenceAnswer {
  readonly owns: boolean;
  /** The place in the filter's order at which it was read. */
  readonly order: number;
}

/** What is sent to a node from time to time. */
class Spaced {
  readonly #send: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #notBefore = -Infinity;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** Is not to be sent again within so many ms. */
  pause(ms: number): void {
    this.#notBefore = performance.now() + ms;
  }

  /** Sends it as soon as it may be; at once if it may be now, or together with what is read now. */
  request(isAtOnce: boolean): void {
    if (this.#timer !== undefined) return;
    const due = this.#notBefore - performance.now();
    if (isAtOnce && due <= 0) return this.#send();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, Math.max(0, due));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** A connection to a node, by which its stream comes and the filter's questions go. */
export class Link implements AskedNode {
  readonly id: string;
  readonly stream: NodeStream<Delivery>;
  readonly connection: Connection;
  /** Whether the fences of the node's slots were requested. */
  isFenced = false;
  readonly #protocol: 2 | 3;
  /** Asks the node, on that connection or, in RESP2, on another one. */
  readonly #send: WithConnection;
  readonly #node: GatedNode;
  readonly #context: GateContext;
  readonly #pings: Spaced = new Spaced(() => this.#sendPing());
  readonly #reports: Spaced = new Spaced(() => this.#tryReport());
  /** Whether a fence has ended. */
  #hasReleased = false;
  /** Whether the node owns slots, by answers that are not taken over yet. */
  readonly #answers = new Set<Map<number, FenceAnswer>>();
  /** Slots of which fences are about to be requested. */
  readonly #wanted = new Set<number>();
  /** The commands that list migrations, as far as the node may know them. */
  #listings: typeof LIST_MOVES = LIST_MOVES;

  constructor(
    connection: Connection,
    protocol: 2 | 3,
    send: WithConnection,
    node: GatedNode,
    context: GateContext,
  ) {
    this.id = node.id;
    this.connection = connection;
    this.#protocol = protocol;
    this.#send = send;
    this.#node = node;
    this.#context = context;
    this.stream = context.filter.open(this);
  }

  #protocolOf(connection: Connection): 2 | 3 {
    return connection === this.connection ? this.#protocol : 2;
  }

  /**
   * Asks the node for its role.
   *
   * @param after what to wait for before, while a connection may be opened
   * @returns null if it does not say, or another connection to it breaks
   */
  async readRole(after?: Promise<void>): Promise<Role["role"]> {
    try {
      const { role } = await this.#send(async (asked) => {
        await after;
        return await readRole(asked, this.#protocolOf(asked));
      });
      return role;
    } catch {
      return null;
    }
  }

  /** A fence has ended. */
  released(slot: number): void {
    this.#hasReleased = true;
    for (const answers of this.#answers) {
      if (answers.has(slot)) answers.set(slot, { owns: false, order: this.#context.filter.order });
    }
  }

  /** The connection is over: what waits is decided. */
  close(): void {
    this.#pings.stop();
    this.#reports.stop();
    this.#context.filter.close(this.stream);
  }

  /** Requests the fence of a slot of which an event came; several at once go in one write. */
  fence(slot: number): void {
    if (this.#wanted.size === 0) {
      queueMicrotask(() => {
        const slots = [...this.#wanted];
        this.#wanted.clear();
        // What breaks meanwhile is known by the end of the connection.
        if (this.stream.isOpen) this.setFences(slots, true).catch(() => {});
      });
    }
    this.#wanted.add(slot);
  }

  /** Sends a ping, not before the spacing allows it. */
  ping(): void {
    this.#pings.request(true);
  }

  /** Requests a report, not before the spacing allows it. */
  report(): void {
    this.#reports.request(false);
  }

  /** As {@linkcode NodeGate.settled}. */
  async settled(): Promise<void> {
    try {
      while (this.stream.isOpen && !this.#context.filter.proofs.isProven(this.stream)) {
        this.#sendPing();
        await this.connection.send("PING");
      }
    } catch {
      // The connection is over, and its loss is reported.
    }
  }

  #sendPing(): void {
    const { stream } = this;
    if (stream.pingOrder !== null || !stream.isOpen) return;
    const { filter, spacing } = this.#context;
    this.#pings.pause(spacing);
    filter.pingSent(stream);
    this.#node.expect();
    const answered = () => filter.proven(stream);
    this.connection.sendInOrder(["PING"], {
      answer: answered,
      // An error stands in its place, too.
      fail: (error) => error instanceof ServerError ? answered() : undefined,
    });
  }

  async #tryReport(): Promise<void> {
    if (!this.stream.isOpen) return;
    try {
      await this.askReport();
    } catch {
      // In RESP2 it comes by a side connection, which may break while this one lasts.
      if (!this.stream.isOpen) return;
      this.#reports.pause(RETRY_MS);
      this.#context.filter.unreported(this.stream);
    }
  }

  /**
   * Asks the node for a report, unless that is under way.
   *
   * @param whole whether it has to say which slots migrate key by key
   * @returns the node's role
   */
  async askReport(whole: boolean = this.#context.slots.isNarrow): Promise<Role["role"]> {
    const { stream } = this;
    const { filter, spacing } = this.#context;
    if (stream.reportAsked !== null) return null;
    this.#reports.pause(spacing);
    filter.reportAsked(stream);
    const askedAt = Date.now();
    const { report, listings } = await this.#send((connection) =>
      requestReport(connection, this.#protocolOf(connection), whole, this.#listings)
    );
    this.#listings = listings;
    if (stream.isOpen) {
      filter.reported(stream, report);
      if (whole) this.#node.reported(report, askedAt);
    }
    return report.role;
  }

  /** @param isLate whether the node was connected to before, and events may have come */
  async setFences(slots: readonly number[], isLate = false): Promise<void> {
    if (slots.length === 0) return;
    const { stream, connection } = this;
    for (const slot of slots) stream.asked.add(slot);
    // Taken over together: so there is one gap for all, before the first event that follows it.
    const answers = new Map<number, FenceAnswer>();
    this.#answers.add(answers);
    let left = slots.length;
    await new Promise<void>((resolve) => {
      connection.subscribeShard(slots.map(fenceOf), (channel, error) => {
        if (error === null || error instanceof ServerError) this.#note(answers, channel, error);
        if (--left === 0) resolve();
      });
    });
    const having = (owns: boolean) =>
      [...answers].flatMap(([slot, one]) => one.owns === owns ? slot : []);
    const isGained = isLate && stream.fenceCount === 0 && having(true).length > 0;
    if (isGained && connection.closedReason === null) {
      // A replica accepts fences, too: a node that holds none may have become one.
      if (await this.readRole() === "replica") {
        this.#answers.delete(answers);
        for (const slot of slots) stream.asked.delete(slot);
        return this.report();
      }
      if (this.#hasReleased) await this.#checkHistory();
    }
    this.#answers.delete(answers);
    if (connection.closedReason !== null) throw connection.closedReason;
    if (!stream.isOpen) return;
    const { filter } = this.#context;
    if (isLate) this.#context.onFences(this.#node.id, having(true), having(false));
    for (const [slot, { owns, order }] of answers) filter.fenced(stream, slot, owns, order);
  }

  #note(
    answers: Map<number, FenceAnswer>,
    channel: Uint8Array,
    error: ServerError | null,
  ): void {
    const { stream } = this;
    const { filter } = this.#context;
    // Neither MOVED nor CLUSTERDOWN: the server has no such command, or the user may not use it.
    if (error?.code !== "NOPERM" && error?.code !== "ERR") {
      answers.set(slotOfFence(channel), { owns: error === null, order: filter.order });
    } else if (stream.isOpen && !stream.isFenceless) filter.withoutFences(stream);
  }

  /**
   * Closes the connection if the node was a replica since it ended its fences: then nothing marks in its
   * stream where it is a primary again.
   */
  async #checkHistory(): Promise<void> {
    const { node: server } = this.#node;
    if (await this.#send((asked) => this.#node.wasPrimary(asked)).catch(() => true)) return;
    this.connection.close(
      new ConnectError(
        "WRONG_ROLE",
        `Cannot distinguish the events of ${server} from those of its primary: it was a replica`,
        { server },
      ),
    );
  }
}
