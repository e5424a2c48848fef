import { KeyeventChannel } from "../parse/mod.ts";
import type { Connection } from "../pubsub/connection.ts";
import type { Delivery, Gate } from "../pubsub/hub.ts";
import type { Subscriber } from "../pubsub/subscriber.ts";
import { Inquirer } from "./inquirer.ts";
import type { NodeStream } from "./node_stream.ts";
import { slotOf } from "./notification_slot.ts";
import type { Ownership } from "./ownership.ts";
import type { Question } from "./question.ts";

/** What a gate works with. */
export interface NodeGateOptions {
  /** The node's id. */
  readonly id: string;
  /** Says what is connected to the node. */
  readonly subscriber: () => Subscriber;
  /** The flags that the node told last, if it did. */
  readonly flags: () => string | null;
  /** What the keys of notifications are stripped of. */
  readonly keyPrefix: Uint8Array | null;
  /** Decides what its events are. */
  readonly ownership: Ownership<Delivery>;
  /** Takes what comes while no stream is open. */
  readonly hand: (delivery: Delivery) => void;
  /** An event has to wait that came then, by the clock of {@linkcode performance}. */
  readonly onHeld: (at: number) => void;
  /** A question was answered, or was not; or the connection is over. */
  readonly onAnswer: () => void;
}

const decoder = new TextDecoder();

/** The way of one node's notifications into {@linkcode Ownership}, a stream for each connection. */
export class NodeGate implements Gate {
  readonly #options: NodeGateOptions;
  #connection: Connection | null = null;
  #stream: NodeStream<Delivery> | null = null;
  #inquirer: Inquirer | null = null;
  /** The slot of the last event. */
  #slot = 0;
  /** When the last event was read, in ms since the epoch. */
  #timestamp = 0;
  /** The same by a clock that is never set, which all waits need. */
  #at = 0;

  constructor(options: NodeGateOptions) {
    this.#options = options;
  }

  pass(delivery: Delivery): void {
    const { subscriber, ownership, hand, onHeld } = this.#options;
    const { notification, begins, bytes } = delivery;
    notification.node = subscriber().node;
    if (begins) this.#slot = slotOf(notification, this.#options.keyPrefix);
    notification.slot = this.#slot;
    if (this.#stream === null) return hand(delivery);
    if (notification.timestamp !== this.#timestamp) {
      this.#timestamp = notification.timestamp;
      this.#at = performance.now();
    }
    const at = this.#at;
    if (begins) this.#stream.event(this.#slot, notification, delivery, { at, bytes });
    else if (delivery.consumers.length > 0) this.#stream.more(delivery);
    if (ownership.held === 0) return;
    notification.detach();
    onHeld(at);
  }

  resubscribed(): void {
    this.#options.ownership.resubscribed();
  }

  /** Puts a question to the node. */
  put(question: Exclude<Question, { readonly kind: "topology" }>): void {
    if (this.#inquirer === null) question.fail();
    else this.#inquirer.put(question);
  }

  /** Follows the connection: another one is another stream. */
  follow(): void {
    const { id, subscriber, flags, ownership, keyPrefix, onAnswer } = this.#options;
    const { state, info } = subscriber();
    const connection = state === "closed" ? null : subscriber().connection;
    if (connection === this.#connection) return;
    this.close();
    if (connection === null) return;
    this.#connection = connection;
    this.#inquirer = new Inquirer({
      connection,
      protocol: info!.protocol,
      openBeside: async () => (await subscriber().openBeside()).connection,
      keyPrefix,
      position: () => this.#stream!.position,
      onAnswer,
    });
    this.#stream = ownership.open(id, (kind, database) => {
      if (!/^(?!unknown$).*A/.test(flags() ?? "")) return false;
      return kind === "keyspace" || kind === "keyevent" && this.#hearsAllKeyevents(database);
    });
  }

  #hearsAllKeyevents(database: number): boolean {
    const wanted = (["*", database] as const).map((db) => `${KeyeventChannel.allEvents({ db })}`);
    return Array.from(this.#options.subscriber().confirmed)
      .some(({ isPattern, bytes }) => isPattern && wanted.includes(decoder.decode(bytes)));
  }

  /** The connection is over: what waits is delivered. */
  close(): void {
    // The other way round what waits for an answer would be in doubt, although it is a replica's.
    this.#stream?.close();
    this.#inquirer?.close();
    this.#connection = null;
    this.#inquirer = null;
    this.#stream = null;
    this.#options.onAnswer();
  }
}
