import { type KeyNotification, readWholeKey } from "../../parse/notification.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import { ConnectError } from "../../pubsub/connection/errors.ts";
import type { ServerInfo } from "../../pubsub/connection/handshake.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import type { Delivery } from "../../pubsub/dispatcher.ts";
import type { ServerGate } from "../../pubsub/server_owner.ts";
import type { WithConnection } from "../../pubsub/side_connection.ts";
import { hashBytes } from "../discovery/slot.ts";
import type { NodeStream } from "../migration/node_stream.ts";
import { type GateContext, type GatedNode, Link } from "./link.ts";
import { slotOfFence } from "./watched_slots.ts";

/** Passes the notifications of one node to the filter, in a stream for each connection. */
export class NodeGate implements ServerGate {
  readonly #node: GatedNode;
  readonly #context: GateContext;
  #link: Link | null = null;
  /** The name of the node when it was connected to. */
  #name = "";
  /** The slot of the last event. */
  #slot = 0;

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
    this.#node.onReceived();
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
    const { filter, hasFences, slots } = this.#context;
    const { id, node, unheardFrom } = this.#node;
    // First, because RESP2 takes no other command once a fence is set.
    const read = this.#node.readHistory(connection);
    const link = new Link(connection, protocol, send, this.#node, this.#context);
    this.#link = link;
    this.#name = node;
    this.#node.onConnected();
    if (!hasFences) {
      filter.withoutFences(link.stream);
      return await read;
    }
    // What it takes in key by key may have come while it was not heard.
    const whole = unheardFrom !== null || slots.isNarrow;
    // All at once, so that it takes one round trip.
    const before = protocol === 2 ? link.askReport(whole) : null;
    link.isFenced = true;
    const answered = link.setFences(slots.toFence(id));
    // A replica accepts fences too: what it says after them counts.
    const last = protocol === 3 ? link.askReport(whole) : link.readRole(answered);
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
    // Events that came before the answer may be held until then, and would seem to follow it.
    if (stream.heardOrder === Infinity) return;
    const missing = this.#context.slots.toFence(this.#node.id, channels)
      .filter((slot) => !stream.holds(slot) && !stream.asked.has(slot));
    await link.setFences(missing, true);
  }

  /** The server has ended a fence. */
  released(channel: Uint8Array, provenAt: number): void {
    const link = this.#link;
    if (link === null) return;
    const slot = slotOfFence(channel);
    link.released(slot);
    if (!link.stream.holds(slot)) return;
    this.#context.filter.released(link.stream, slot);
    this.#context.onReleased(this.#node.id, slot, provenAt);
  }

  /** Closes the stream if its connection is over. */
  follow(): void {
    if (this.#link !== null && this.#link.connection.closedReason !== null) this.close();
  }

  /** The connection is over: what waits is decided. */
  close(): void {
    const link = this.#link;
    this.#link = null;
    link?.close();
  }

  /** Sends a ping, not before the spacing allows it. */
  ping(): void {
    this.#link?.ping();
  }

  /** Requests a report, not before the spacing allows it. */
  report(): void {
    this.#link?.report();
  }

  /**
   * Waits until the node has proven that nothing is to come from before all nodes were heard, or cannot:
   * such a deletion may belong to a `restore` that nobody heard.
   */
  async settled(): Promise<void> {
    await this.#link?.settled();
  }
}

/** The hash slot of a notification's whole key, with the prefix that was stripped of it. */
export function slotOf(notification: KeyNotification): number {
  // Nobody has looked at the key yet, so that its bytes are there.
  return readWholeKey(notification, hashBytes)!;
}
