import { type KeyNotification, readWholeKey } from "../../parse/notification.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import type { Delivery, Gate } from "../../pubsub/hub.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import { readRole } from "../../pubsub/connection/role.ts";
import type { AskServer } from "../../pubsub/subscriber_options.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { hashBytes, hashSlot } from "../discovery/slot.ts";
import type { MigrationFilter } from "../migration/filter.ts";
import {
  parseKnownNodes,
  parseMoves,
  parseNodeLines,
  type SlotMove,
} from "../migration/move_list.ts";
import type { NodeReport, NodeStream } from "../migration/node_stream.ts";
import { fenceOf, slotOfFence } from "./fences.ts";

/** The commands that list atomic migrations: of Redis 8.4 and later, and of Valkey 9.0 and later. */
const LIST_MOVES: readonly [string, ...string[]][] = [
  ["CLUSTER", "MIGRATION", "STATUS", "ALL"],
  ["CLUSTER", "GETSLOTMIGRATIONS"],
];

/** How soon a report that failed is requested again, in ms. */
const RETRY_MS = 100;

/** What a gate needs, and what it reports. */
export interface NodeGateOptions {
  /** Tells events from artefacts. */
  readonly filter: MigrationFilter<Delivery>;
  /** The node's id. */
  readonly id: string;
  /** The node's name, as `host:port`. */
  readonly node: () => string;
  /** The bytes that keys are stripped of; null if none. */
  readonly keyPrefix: Uint8Array | null;
  /** Whether fences are to be set. */
  readonly hasFences: boolean;
  /**
   * The slots of which the node needs a fence: those that it owns, and of which channels can bring
   * events; of all wanted channels if none are named.
   */
  readonly slots: (channels?: Iterable<ServerChannel>) => readonly number[];
  /** How long two pings of a node, and two reports, have to be apart, in ms. */
  readonly spacing: () => number;
  /** Whether the node has been a primary all the time since it was connected to. */
  readonly wasPrimary: (connection: Connection) => Promise<boolean>;
  /** Whether something may have happened while the node was not heard. */
  readonly wasUnheard: () => boolean;
  /** Delivers an event of a connection that is over. */
  readonly hand: (delivery: Delivery) => void;
  /** An event waits. */
  readonly onHeld: () => void;
  /** Events wait for the answer of the node. */
  readonly onAsked: () => void;
  /** Which slots the node owns, and which not, by fences set after it was connected to. */
  readonly onFences: (owned: readonly number[], denied: readonly number[]) => void;
  /** The node is a replica now. */
  readonly onDemoted: () => void;
  /** The node has stopped owning a slot, at some time after `provenAt`, in ms since the epoch. */
  readonly onReleased: (slot: number, provenAt: number) => void;
}

interface FenceAnswer {
  readonly owns: boolean;
  /** The place in the filter's order at which it was read. */
  readonly order: number;
}

/** Passes the notifications of one node to the filter, in a stream for each connection. */
export class NodeGate implements Gate {
  readonly #options: NodeGateOptions;
  #stream: NodeStream<Delivery> | null = null;
  #connection: Connection | null = null;
  #send: AskServer | null = null;
  #protocol: 2 | 3 = 3;
  /** Whether the fences of the node's slots were requested on this connection. */
  #isFenced = false;
  /** Whether a fence has ended on this connection. */
  #hasReleased = false;
  /** The index of the command that lists migrations; it is found by trying. */
  #listing = 0;
  /** The slot of the last event. */
  #slot = 0;
  #timestamp = 0;
  #at = 0;
  readonly #wanted = new Set<number>();
  /** Whether the node owns slots, by answers that are not taken over yet. */
  readonly #answers = new Set<Map<number, FenceAnswer>>();
  #pingTimer: ReturnType<typeof setTimeout> | undefined;
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #pingedAt = -Infinity;
  #reportedAt = -Infinity;

  constructor(options: NodeGateOptions) {
    this.#options = options;
  }

  /** The stream of the connection; null while there is none. */
  get stream(): NodeStream<Delivery> | null {
    return this.#stream;
  }

  pass(delivery: Delivery): void {
    const { filter, keyPrefix, hand, node, onHeld } = this.#options;
    const { notification, begins, bytes } = delivery;
    notification.node = node();
    if (begins) this.#slot = slotOf(notification, keyPrefix);
    notification.slot = this.#slot;
    const stream = this.#stream;
    if (stream === null) return hand(delivery);
    if (notification.timestamp !== this.#timestamp) {
      this.#timestamp = notification.timestamp;
      this.#at = performance.now();
    }
    if (begins) filter.event(stream, this.#slot, notification, delivery, this.#at, bytes);
    else if (delivery.consumers.length > 0) filter.more(stream, delivery);
    if (filter.held === 0) return;
    notification.detach();
    onHeld();
  }

  resubscribed(): void {}

  /**
   * Begins with a connection on which nothing is subscribed: sets the fences of the node's slots.
   *
   * @throws {ConnectError} when the node is a replica
   * @throws the reason for which the connection is over
   */
  async connected(connection: Connection, info: ServerInfo, send: AskServer): Promise<void> {
    this.close();
    const { filter, id, hasFences, slots, wasUnheard } = this.#options;
    this.#connection = connection;
    this.#protocol = info.protocol;
    this.#send = send;
    const stream = filter.open(id);
    this.#stream = stream;
    if (!hasFences) return filter.withoutFences(stream);
    // RESP2 takes no other command once a fence is set.
    const whole = wasUnheard();
    if (info.protocol === 2) await this.#report(stream, whole);
    this.#isFenced = true;
    const answered = this.#setFences(stream, slots());
    await Promise.all([answered, info.protocol === 3 ? this.#report(stream, whole) : null]);
    // After the fences, because a replica accepts them too.
    const role = info.protocol === 2
      ? await this.#readRole().catch(() => null)
      : stream.report?.role;
    if (role === "replica") {
      const server = this.#options.node();
      throw new ConnectError("WRONG_ROLE", `Cannot watch ${server}: it is a replica now`, {
        server,
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
    const stream = this.#stream;
    if (stream === null || stream.isFenceless || !this.#isFenced) return;
    const missing = this.#options.slots(channels)
      .filter((slot) => !stream.holds(slot) && !stream.asked.has(slot));
    await this.#setFences(stream, missing, true);
  }

  /** The server has ended a fence. */
  released(channel: Uint8Array, provenAt: number): void {
    if (this.#stream === null) return;
    const slot = slotOfFence(channel);
    this.#hasReleased = true;
    const { order } = this.#options.filter;
    for (const answers of this.#answers) {
      if (answers.has(slot)) answers.set(slot, { owns: false, order });
    }
    if (!this.#stream.holds(slot)) return;
    this.#options.filter.released(this.#stream, slot);
    this.#options.onReleased(slot, provenAt);
  }

  /** The node is a replica now: what it emits is what its primary does. */
  demoted(): void {
    if (this.#stream !== null) this.#stream.isReplica = true;
  }

  /** Closes the stream if its connection is over. */
  follow(): void {
    if (this.#connection !== null && this.#connection.over !== null) this.close();
  }

  /** The connection is over: what waits is decided. */
  close(): void {
    clearTimeout(this.#pingTimer);
    clearTimeout(this.#reportTimer);
    this.#pingTimer = this.#reportTimer = undefined;
    this.#wanted.clear();
    this.#answers.clear();
    const stream = this.#stream;
    this.#stream = null;
    this.#connection = null;
    this.#isFenced = this.#hasReleased = false;
    this.#send = null;
    if (stream !== null) this.#options.filter.close(stream);
  }

  /** Requests the fence of a slot of which an event came; several at once go in one write. */
  fence(slot: number): void {
    if (this.#wanted.size === 0) {
      const stream = this.#stream;
      queueMicrotask(() => {
        const slots = [...this.#wanted];
        this.#wanted.clear();
        if (stream === null || stream !== this.#stream) return;
        // What breaks meanwhile is known by the end of the connection.
        this.#setFences(stream, slots, true).catch(() => {});
      });
    }
    this.#wanted.add(slot);
  }

  /** Sends a ping, not before the spacing allows it. */
  ping(): void {
    if (this.#pingTimer !== undefined) return;
    const due = this.#pingedAt + this.#options.spacing() - performance.now();
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
    const stream = this.#stream;
    const connection = this.#connection;
    if (connection === null) return;
    try {
      while (stream === this.#stream && !this.#options.filter.proofs.isProven(stream!)) {
        this.#sendPing();
        await connection.inquire("PING");
      }
    } catch {
      // The connection is over, and its loss is reported.
    }
  }

  #sendPing(): void {
    const stream = this.#stream;
    const connection = this.#connection;
    if (stream === null || connection === null || stream.pingOrder !== null) return;
    const { filter } = this.#options;
    this.#pingedAt = performance.now();
    filter.pingSent(stream);
    this.#options.onAsked();
    const answered = () => filter.proven(stream);
    connection.query(["PING"], {
      answer: answered,
      // An error stands in its place, too.
      fail: (error) => error instanceof ServerError ? answered() : undefined,
    });
  }

  /** Requests a report, not before the spacing allows it. */
  report(): void {
    const stream = this.#stream;
    if (this.#reportTimer !== undefined || stream === null) return;
    const due = this.#reportedAt + this.#options.spacing() - performance.now();
    this.#reportTimer = setTimeout(() => {
      this.#reportTimer = undefined;
      if (stream === this.#stream) this.#tryReport(stream);
    }, Math.max(0, due));
  }

  async #tryReport(stream: NodeStream<Delivery>): Promise<void> {
    try {
      await this.#report(stream);
    } catch {
      // In RESP2 it comes by a side connection, which may break while this one lasts.
      if (stream !== this.#stream) return;
      this.#reportTimer = setTimeout(() => {
        this.#reportTimer = undefined;
        this.#options.filter.unreported(stream);
      }, RETRY_MS);
    }
  }

  /** @param whole whether it has to say which slots it takes in key by key */
  async #report(stream: NodeStream<Delivery>, whole = false): Promise<void> {
    const { filter } = this.#options;
    if (stream.reportAsked !== null) return;
    this.#reportedAt = performance.now();
    filter.reportAsked(stream);
    const report = await this.#send!(async (connection): Promise<NodeReport> => {
      const [{ role }, nodes, moves] = await Promise.all([
        readRole(connection, connection === this.#connection ? this.#protocol : 2),
        send(connection, "CLUSTER", whole ? "NODES" : "INFO"),
        this.#listMoves(connection),
      ]);
      const lines = whole ? parseNodeLines(nodes) : null;
      return {
        role,
        known: whole ? lines?.known ?? null : parseKnownNodes(nodes),
        importing: lines?.importing ?? null,
        moves,
      };
    });
    if (stream.isOpen) filter.reported(stream, report);
  }

  async #listMoves(connection: Connection): Promise<readonly SlotMove[] | null> {
    for (; this.#listing < LIST_MOVES.length; this.#listing++) {
      const reply = await send(connection, ...LIST_MOVES[this.#listing]!);
      if (!(reply instanceof ServerError && /unknown/i.test(reply.message))) {
        return parseMoves(reply);
      }
    }
    return [];
  }

  /** @param isLate whether the node was connected to before, and events may have come */
  async #setFences(
    stream: NodeStream<Delivery>,
    slots: readonly number[],
    isLate = false,
  ): Promise<void> {
    const connection = this.#connection;
    if (slots.length === 0 || connection === null) return;
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
    const owned = [...answers].flatMap(([slot, { owns }]) => owns ? [slot] : []);
    if (isLate && stream.fenceCount === 0 && owned.length > 0 && connection.over === null) {
      // A replica accepts fences, too: a node that holds none may have become one.
      if (await this.#readRole().catch(() => null) === "replica") {
        if (stream === this.#stream) this.#options.onDemoted();
        return;
      }
      if (this.#hasReleased) await this.#checkHistory(connection);
    }
    this.#answers.delete(answers);
    if (connection.over !== null) throw connection.over;
    if (stream === this.#stream) this.#takeOver(stream, answers, isLate);
  }

  #note(answers: Map<number, FenceAnswer>, channel: Uint8Array, error: ServerError | null): void {
    // Neither MOVED nor CLUSTERDOWN: the server has no such command, or the user may not use it.
    if (error?.code !== "NOPERM" && error?.code !== "ERR") {
      answers.set(slotOfFence(channel), {
        owns: error === null,
        order: this.#options.filter.order,
      });
    } else if (this.#stream?.isFenceless === false) {
      this.#options.filter.withoutFences(this.#stream);
    }
  }

  #takeOver(
    stream: NodeStream<Delivery>,
    answers: ReadonlyMap<number, FenceAnswer>,
    isLate: boolean,
  ): void {
    const { filter, onFences } = this.#options;
    if (isLate) {
      const slots = [...answers.keys()];
      onFences(
        slots.filter((slot) => answers.get(slot)!.owns),
        slots.filter((slot) => !answers.get(slot)!.owns),
      );
    }
    for (const [slot, { owns, order }] of answers) filter.fenced(stream, slot, owns, order);
  }

  /**
   * Closes the connection if the node was a replica since it ended its fences: then nothing marks in its
   * stream where it is a primary again.
   */
  async #checkHistory(connection: Connection): Promise<void> {
    const { node, wasPrimary } = this.#options;
    if (await this.#send!(wasPrimary).catch(() => true)) return;
    const server = node();
    connection.close(
      new ConnectError(
        "WRONG_ROLE",
        `Cannot tell the events of ${server} from its primary's: it was a replica`,
        { server },
      ),
    );
  }

  async #readRole(): Promise<string | null> {
    const { role } = await this.#send!(async (connection) =>
      await readRole(connection, connection === this.#connection ? this.#protocol : 2)
    );
    return role;
  }
}

/**
 * The hash slot of a notification's whole key.
 *
 * @param keyPrefix what its key was stripped of
 */
export function slotOf(notification: KeyNotification, keyPrefix: Uint8Array | null): number {
  // The bytes are released only once somebody has looked at the key.
  return readWholeKey(notification, hashBytes) ??
    hashSlot(Uint8Array.of(...keyPrefix ?? [], ...notification.keyBytes));
}

/** Sends a command; an error reply is a reply. */
async function send(connection: Connection, ...command: [string, ...string[]]): Promise<Reply> {
  try {
    return await connection.inquire(...command);
  } catch (error) {
    if (error instanceof ServerError) return error;
    throw error;
  }
}
