import { Change } from "../pubsub/change.ts";
import type { Delivery } from "../pubsub/hub.ts";
import type { MigrationStatus } from "../pubsub/status.ts";
import type { WatchedServer } from "../pubsub/watched_server.ts";
import { NodeGate } from "./node_gate.ts";
import type { MigrationPolicy } from "./options.ts";
import { Ownership, type Verdict } from "./ownership.ts";
import type { Question } from "./question.ts";
import type { Topology } from "./discovery/topology.ts";

/** How long a node that lost its slots may take to say so, in ms. It is asked again and again. */
const DEMOTION = 5_000;

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
  /**
   * A node that was a replica is a primary again. Nothing comes of it before its gate is made anew.
   *
   * @param id the node's id
   * @param since since when nobody may have told its slots, in ms since the epoch
   */
  readonly onPromoted: (id: string, since: number) => void;
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
  readonly #answers = new Change();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer is due. */
  #due = Infinity;
  #isClosed = false;

  constructor(options: MigrationFilterOptions) {
    this.#options = options;
    this.#ownership = new Ownership<Delivery>({
      decide: (delivery, verdict) => this.#decide(delivery, verdict),
      ask: (question) => this.#put(question),
      renew: (id, since) => this.#options.onPromoted(id, sinceEpoch(since)),
    });
  }

  /** What slots on the move have made so far. */
  get status(): MigrationStatus {
    const { phantoms, uncertain, held, heldBytes } = this.#ownership;
    return { phantoms, uncertain, held, heldBytes };
  }

  /** Whether some node has said that it does not own what the topology gives to it. */
  get isDenied(): boolean {
    return this.#ownership.isDenied;
  }

  /** Takes a new topology over. */
  setTopology(topology: Topology): void {
    this.#ownership.setTopology(topology, performance.now());
    this.#schedule();
    this.#answers.happen();
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
        this.#answers.happen();
      },
    });
    this.#gates.set(id, gate);
    return gate;
  }

  /**
   * Waits until nobody claims what the topology gives to a node, whose events would come twice else:
   * see {@linkcode Ownership.isContested}; or until it is left. Not for long in any case.
   *
   * @param id the node's id
   */
  async whenUncontested(id: string): Promise<void> {
    const end = performance.now() + DEMOTION;
    const gate = this.#gates.get(id);
    const isWanted = () => !this.#isClosed && this.#gates.get(id) === gate;
    while (isWanted() && this.#ownership.isContested(id)) {
      const left = end - performance.now();
      if (left <= 0) return;
      await this.#answers.next(left);
    }
  }

  /** As {@linkcode Ownership.replicaSince}, in ms since the epoch. */
  replicaSince(id: string): number | null {
    const since = this.#ownership.replicaSince(id);
    return since === null ? null : sinceEpoch(since);
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
    this.#answers.happen();
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

/** A time by the clock of {@linkcode performance}, in ms since the epoch, not later than it was. */
function sinceEpoch(time: number): number {
  return Date.now() - Math.ceil(performance.now() - time);
}
