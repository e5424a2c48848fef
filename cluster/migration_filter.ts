import type { Delivery } from "../pubsub/hub.ts";
import type { MigrationStatus } from "../pubsub/status.ts";
import type { WatchedServer } from "../pubsub/watched_server.ts";
import { NodeGate } from "./node_gate.ts";
import type { MigrationPolicy } from "./options.ts";
import { Ownership, type Verdict } from "./ownership.ts";
import type { Question } from "./question.ts";
import type { Topology } from "./topology.ts";

/** How long a node that lost its slots may take to say that it is a replica now, in ms. */
const DEMOTION = 500;

/** What a filter works with. */
export interface MigrationFilterOptions {
  /** What becomes of phantoms. */
  readonly migrations: MigrationPolicy;
  /** What the keys of notifications are stripped of. */
  readonly keyPrefix: Uint8Array | null;
  /** Takes what is to be delivered. */
  readonly hand: (delivery: Delivery) => void;
  /** Somebody owns other slots than the topology says. */
  readonly onOutdated: () => void;
}

/**
 * Stands between the connections and those their notifications are for, and keeps back, or marks,
 * what only a slot on the move has made. {@linkcode Ownership} decides; this gives it the time and
 * the answers that it asks for.
 */
export class MigrationFilter {
  readonly #options: MigrationFilterOptions;
  readonly #ownership: Ownership<Delivery>;
  readonly #gates = new Map<string, NodeGate>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due. */
  #due = Infinity;
  #isClosed = false;
  /** Those that wait for something to be answered. */
  readonly #waiting = new Set<() => void>();

  constructor(options: MigrationFilterOptions) {
    this.#options = options;
    this.#ownership = new Ownership<Delivery>({
      decide: (delivery, verdict) => this.#decide(delivery, verdict),
      ask: (question) => this.#put(question),
    });
  }

  /** What slots on the move have made so far. */
  get status(): MigrationStatus {
    const { phantoms, uncertain, held } = this.#ownership;
    return { phantoms, uncertain, held };
  }

  /** Takes a new topology over. */
  setTopology(topology: Topology): void {
    this.#ownership.setTopology(topology);
    this.#schedule();
  }

  /**
   * Makes the gate of a node.
   *
   * @param id the node's id
   * @param server says what watches it
   */
  gate(id: string, server: () => WatchedServer): NodeGate {
    const { keyPrefix, hand } = this.#options;
    const gate = new NodeGate({
      id,
      subscriber: () => server().subscriber,
      flags: () => server().flags,
      keyPrefix,
      hand,
      ownership: this.#ownership,
      onHeld: (at) => {
        // Deletions wait all the time, and are due one after another.
        if (this.#due > at + 1) this.#schedule();
      },
      onAnswer: () => {
        this.#schedule();
        for (const look of [...this.#waiting]) look();
      },
    });
    this.#gates.set(id, gate);
    return gate;
  }

  /**
   * Does something once nodes that lost their slots to others are known to be replicas, or are lost:
   * from then on what they repeat is known for what it is. Soon in any case.
   */
  afterDemotion(ids: ReadonlySet<string>, work: () => void): void {
    const isOver = () => [...ids].every((id) => this.#ownership.isDemoted(id));
    if (isOver()) return work();
    const end = () => {
      clearTimeout(timer);
      this.#waiting.delete(look);
      work();
    };
    const look = () => {
      if (this.#isClosed || isOver()) end();
    };
    const timer = setTimeout(end, DEMOTION);
    this.#waiting.add(look);
  }

  /** The node is left: what waits of it is delivered. */
  leave(id: string): void {
    this.#gates.get(id)?.close();
    this.#gates.delete(id);
  }

  /** Delivers nothing more, and ends every wait. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const gate of this.#gates.values()) gate.close();
    for (const look of [...this.#waiting]) look();
  }

  #decide(delivery: Delivery, verdict: Verdict): void {
    if (verdict === "phantom") {
      if (this.#options.migrations === "hide") return;
      delivery.notification.migration = true;
    }
    if (!this.#isClosed) this.#options.hand(delivery);
  }

  #put(question: Question): void {
    if (question.kind === "topology") this.#options.onOutdated();
    else this.#gates.get(question.node)!.put(question);
  }

  #schedule(): void {
    const { deadline } = this.#ownership;
    if (this.#isClosed || deadline === null || deadline >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = deadline;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, deadline - performance.now()));
  }

  #wake(): void {
    const now = performance.now();
    // What the sockets hold by now is read before the time is told: it may be what is waited for.
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#ownership.tick(now);
      this.#schedule();
    }, 0);
  }
}
