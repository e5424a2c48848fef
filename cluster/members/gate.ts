import { type KeyNotification, readWholeKey } from "../../parse/notification.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import type { Delivery, Dispatcher } from "../../pubsub/dispatcher.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import { readRole, type Role } from "../../pubsub/connection/info.ts";
import type { ServerGate } from "../../pubsub/session.ts";
import type { WithConnection } from "../../pubsub/side_connection.ts";
import { ServerError } from "../../resp/mod.ts";
import { hashBytes } from "../discovery/slot.ts";
import type { MigrationFilter } from "../migration/filter.ts";
import type { NodeStream } from "../migration/node_stream.ts";
import { fenceOf, slotOfFence, type WatchedSlots } from "./watched_slots.ts";
import { LIST_MOVES, requestReport } from "./report.ts";

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
  /** Notes where the node stands in its replication stream. */
  readHistory(connection: Connection): Promise<void>;
  /** Events wait for the answer of the node. */
  expect(): void;
}

/** What all gates share, and where they report. */
export interface GateContext {
  readonly dispatcher: Dispatcher;
  /** Tells events from artefacts. */
  readonly filter: MigrationFilter<Delivery>;
  /** Whether fences are to be set. */
  readonly hasFences: boolean;
  /** The time in ms, in which what this process was too busy to read does not count. */
  readonly clock: number;
  /** How long two pings of a node, and two reports, have to be apart, in ms. */
  readonly spacing: number;
  /** Which fences are wanted. */
  readonly slots: Pick<WatchedSlots, "toFence">;
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

/** What ends with a connection. */
class Link {
  readonly stream: NodeStream<Delivery>;
  readonly connection: Connection;
  readonly protocol: 2 | 3;
  /** Asks the node, on that connection or, in RESP2, on another one. */
  readonly send: WithConnection;
  /** Whether the fences of the node's slots were requested. */
  isFenced = false;
  /** Whether a fence has ended. */
  hasReleased = false;
  /** Whether the node owns slots, by answers that are not taken over yet. */
  readonly answers: Set<Map<number, FenceAnswer>> = new Set();
  /** Slots of which fences are about to be requested. */
  readonly wanted: Set<number> = new Set();
  /** The commands that list migrations, as far as the node may know them. */
  listings: typeof LIST_MOVES = LIST_MOVES;

  constructor(
    stream: NodeStream<Delivery>,
    connection: Connection,
    protocol: 2 | 3,
    send: WithConnection,
  ) {
    this.stream = stream;
    this.connection = connection;
    this.protocol = protocol;
    this.send = send;
  }

  protocolOf(connection: Connection): 2 | 3 {
    return connection === this.connection ? this.protocol : 2;
  }

  /**
   * Asks the node for its role.
   *
   * @param after what to wait for before, while a connection may be opened
   * @returns null if it does not say, or another connection to it breaks
   */
  async readRole(after?: Promise<void>): Promise<Role["role"]> {
    try {
      const { role } = await this.send(async (asked) => {
        await after;
        return await readRole(asked, this.protocolOf(asked));
      });
      return role;
    } catch {
      return null;
    }
  }
}

/** Passes the notifications of one node to the filter, in a stream for each connection. */
export class NodeGate implements ServerGate {
  readonly #node: GatedNode;
  readonly #context: GateContext;
  #link: Link | null = null;
  /** The name of the node when it was connected to. */
  #name = "";
  /** The slot of the last event. */
  #slot = 0;
  #pingTimer: ReturnType<typeof setTimeout> | undefined;
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #pingedAt = -Infinity;
  #reportedAt = -Infinity;

  constructor(node: GatedNode, context: GateContext) {
    this.#node = node;
    this.#context = context;
  }

  /** The stream of the connection; null while there is none. */
  get stream(): NodeStream<Delivery> | null {
    return this.#link?.stream ?? null;
  }

  pass(delivery: Delivery): void {
    const { filter, dispatcher, clock } = this.#context;
    const { notification, begins, bytes } = delivery;
    const link = this.#link;
    notification.node = this.#name;
    if (begins) this.#slot = slotOf(notification);
    notification.slot = this.#slot;
    // Of a connection that is over.
    if (link === null) return dispatcher.hand(delivery);
    if (begins) filter.event(link.stream, this.#slot, notification, delivery, clock, bytes);
    else if (delivery.consumers.length > 0) filter.more(link.stream, delivery);
    if (filter.queues.held > 0) notification.detach();
  }

  mark(call: () => void): void {
    const stream = this.stream;
    if (stream === null) call();
    else this.#context.filter.mark(stream, call);
  }

  /**
   * Begins with a connection on which nothing is subscribed: sets the fences of the node's slots.
   *
   * @throws {ConnectError} when the node is a replica
   * @throws the reason for which the connection is over
   */
  async connected(
    connection: Connection,
    { protocol }: ServerInfo,
    send: WithConnection,
  ): Promise<void> {
    this.close();
    const { filter, hasFences } = this.#context;
    const { id, node, unheardFrom } = this.#node;
    // First, because RESP2 takes no other command once a fence is set.
    const read = this.#node.readHistory(connection);
    const stream = filter.open(id);
    const link = new Link(stream, connection, protocol, send);
    this.#link = link;
    this.#name = node;
    if (!hasFences) {
      filter.withoutFences(stream);
      return await read;
    }
    // What it takes in key by key may have come while it was not heard.
    const whole = unheardFrom !== null;
    // All at once, so that it takes one round trip.
    const before = protocol === 2 ? this.#report(link, whole) : null;
    link.isFenced = true;
    const answered = this.#setFences(link, this.#context.slots.toFence(id));
    // A replica accepts fences too: what it says after them counts.
    const last = protocol === 3 ? this.#report(link, whole) : link.readRole(answered);
    const [role] = await Promise.all([last, answered, before, read]);
    if (role === "replica") {
      throw new ConnectError("WRONG_ROLE", `Cannot watch ${node}: it is a replica now`, {
        server: node,
      });
    }
  }

  /**
   * Sets fences that are missing.
   *
   * @param channels only those for the events of these channels
   * @returns once each has been answered
   */
  async extend(channels?: Iterable<ServerChannel>): Promise<void> {
    const link = this.#link;
    if (link === null || link.stream.isFenceless || !link.isFenced) return;
    const { stream } = link;
    const missing = this.#context.slots.toFence(this.#node.id, channels)
      .filter((slot) => !stream.holds(slot) && !stream.asked.has(slot));
    await this.#setFences(link, missing, true);
  }

  /** The server has ended a fence. */
  released(channel: Uint8Array, provenAt: number): void {
    const link = this.#link;
    if (link === null) return;
    const { filter } = this.#context;
    const slot = slotOfFence(channel);
    link.hasReleased = true;
    for (const answers of link.answers) {
      if (answers.has(slot)) answers.set(slot, { owns: false, order: filter.order });
    }
    if (!link.stream.holds(slot)) return;
    filter.released(link.stream, slot);
    this.#context.onReleased(this.#node.id, slot, provenAt);
  }

  /** Closes the stream if its connection is over. */
  follow(): void {
    if (this.#link !== null && this.#link.connection.closedReason !== null) this.close();
  }

  /** The connection is over: what waits is decided. */
  close(): void {
    clearTimeout(this.#pingTimer);
    clearTimeout(this.#reportTimer);
    this.#pingTimer = this.#reportTimer = undefined;
    const stream = this.stream;
    this.#link = null;
    if (stream !== null) this.#context.filter.close(stream);
  }

  /** Requests the fence of a slot of which an event came; several at once go in one write. */
  fence(slot: number): void {
    const link = this.#link;
    if (link === null) return;
    if (link.wanted.size === 0) {
      queueMicrotask(() => {
        const slots = [...link.wanted];
        link.wanted.clear();
        // What breaks meanwhile is known by the end of the connection.
        if (link === this.#link) this.#setFences(link, slots, true).catch(() => {});
      });
    }
    link.wanted.add(slot);
  }

  /** Sends a ping, not before the spacing allows it. */
  ping(): void {
    if (this.#pingTimer !== undefined) return;
    const due = this.#pingedAt + this.#context.spacing - performance.now();
    if (due <= 0) return this.#sendPing();
    this.#pingTimer = setTimeout(() => {
      this.#pingTimer = undefined;
      this.#sendPing();
    }, due);
  }

  /**
   * Waits until the node has proven that nothing is to come from before all nodes were heard, or cannot:
   * such a deletion may belong to a `restore` that nobody heard.
   */
  async settled(): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    try {
      while (link === this.#link && !this.#context.filter.proofs.isProven(link.stream)) {
        this.#sendPing();
        await link.connection.send("PING");
      }
    } catch {
      // The connection is over, and its loss is reported.
    }
  }

  #sendPing(): void {
    const link = this.#link;
    if (link === null || link.stream.pingOrder !== null) return;
    const { stream, connection } = link;
    const { filter } = this.#context;
    this.#pingedAt = performance.now();
    filter.pingSent(stream);
    this.#node.expect();
    const answered = () => filter.proven(stream);
    connection.sendInOrder(["PING"], {
      answer: answered,
      // An error stands in its place, too.
      fail: (error) => error instanceof ServerError ? answered() : undefined,
    });
  }

  /** Requests a report, not before the spacing allows it. */
  report(): void {
    const link = this.#link;
    if (this.#reportTimer !== undefined || link === null) return;
    this.#reportTimer = setTimeout(() => {
      this.#reportTimer = undefined;
      if (link === this.#link) this.#tryReport(link);
    }, Math.max(0, this.#reportedAt + this.#context.spacing - performance.now()));
  }

  async #tryReport(link: Link): Promise<void> {
    try {
      await this.#report(link);
    } catch {
      // In RESP2 it comes by a side connection, which may break while this one lasts.
      if (link !== this.#link) return;
      this.#reportTimer = setTimeout(() => {
        this.#reportTimer = undefined;
        this.#context.filter.unreported(link.stream);
      }, RETRY_MS);
    }
  }

  /**
   * @param whole whether it has to say which slots it takes in key by key
   * @returns the node's role
   */
  async #report(link: Link, whole = false): Promise<Role["role"]> {
    const { filter } = this.#context;
    const { stream } = link;
    if (stream.reportAsked !== null) return null;
    this.#reportedAt = performance.now();
    filter.reportAsked(stream);
    const { report, listings } = await link.send((connection) =>
      requestReport(connection, link.protocolOf(connection), whole, link.listings)
    );
    link.listings = listings;
    if (stream.isOpen) filter.reported(stream, report);
    return report.role;
  }

  /** @param isLate whether the node was connected to before, and events may have come */
  async #setFences(link: Link, slots: readonly number[], isLate = false): Promise<void> {
    if (slots.length === 0) return;
    const { stream, connection } = link;
    for (const slot of slots) stream.asked.add(slot);
    // Taken over together: so there is one gap for all, before the first event that follows it.
    const answers = new Map<number, FenceAnswer>();
    link.answers.add(answers);
    let left = slots.length;
    await new Promise<void>((resolve) => {
      connection.subscribeShard(slots.map(fenceOf), (channel, error) => {
        if (error === null || error instanceof ServerError) {
          this.#note(stream, answers, channel, error);
        }
        if (--left === 0) resolve();
      });
    });
    const having = (owns: boolean) =>
      [...answers].flatMap(([slot, one]) => one.owns === owns ? slot : []);
    const isGained = isLate && stream.fenceCount === 0 && having(true).length > 0;
    if (isGained && connection.closedReason === null) {
      // A replica accepts fences, too: a node that holds none may have become one.
      if (await link.readRole() === "replica") {
        link.answers.delete(answers);
        for (const slot of slots) stream.asked.delete(slot);
        return this.report();
      }
      if (link.hasReleased) await this.#checkHistory(link);
    }
    link.answers.delete(answers);
    if (connection.closedReason !== null) throw connection.closedReason;
    if (link !== this.#link) return;
    const { filter } = this.#context;
    if (isLate) this.#context.onFences(this.#node.id, having(true), having(false));
    for (const [slot, { owns, order }] of answers) filter.fenced(stream, slot, owns, order);
  }

  #note(
    stream: NodeStream<Delivery>,
    answers: Map<number, FenceAnswer>,
    channel: Uint8Array,
    error: ServerError | null,
  ): void {
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
  async #checkHistory({ connection, send }: Link): Promise<void> {
    const node = this.#node;
    if (await send((asked) => node.wasPrimary(asked)).catch(() => true)) return;
    const server = node.node;
    connection.close(
      new ConnectError(
        "WRONG_ROLE",
        `Cannot tell the events of ${server} from its primary's: it was a replica`,
        { server },
      ),
    );
  }
}

/** The hash slot of a notification's whole key, with the prefix that was stripped of it. */
export function slotOf(notification: KeyNotification): number {
  // Nobody has looked at the key yet, so that its bytes are there.
  return readWholeKey(notification, hashBytes)!;
}
