/**
 * What an event is in truth: something happened to the key in the cluster (`real`), or the key was
 * only copied, moved or replicated (`artefact`). `undone` are writes that a failover has undone before
 * they were made. `either` is what the client may deliver or not: keys that an aborted migration left
 * where no client finds them.
 */
export type Truth = "real" | "artefact" | "undone" | "either";

/** An event that a node emitted. */
export interface Emission {
  /** Zero-based index among the events of the whole cluster. */
  readonly serial: number;
  /** The port of the node. */
  readonly port: number;
  readonly slot: number;
  readonly key: string;
  readonly type: string;
  /** In whole ms since the epoch. */
  readonly at: number;
  readonly truth: Truth;
  /** What made it, for messages. */
  readonly why: string;
  /** Whether the slot is being migrated, or was a moment ago. */
  readonly isMigrating: boolean;
}

/** A notification on its way. One event is several of them if several subscriptions match. */
export interface Message {
  readonly emission: Emission;
  readonly kind: "keyspace" | "keyevent";
  /** When the client was given its last byte, in ms since the epoch; empty if it never was. */
  readonly receivedAt: number[];
}

/**
 * When events of a node could not reach the client, or no client could write to it: its connections
 * broke or stalled, it hung or was replaced, or it took a slot over while the client had not
 * subscribed there.
 */
export interface Outage {
  readonly port: number;
  /** In ms since the epoch. */
  readonly from: number;
  readonly to: number;
  /** The port of the node whose stream proves last that nothing is missing: it, or the former owner. */
  readonly stream: number;
}

/** All that happened in a cluster. */
export class History {
  readonly emissions: Emission[] = [];
  readonly messages: Message[] = [];
  /** When a node became the owner of a slot, in ms since the epoch. */
  readonly takeovers: { readonly slot: number; readonly port: number; readonly at: number }[] = [];
  /** Slots that no node owned in the end, because nodes took each other for their owners. */
  readonly orphans: Set<number> = new Set();
  /** Who owned each slot at the start, by port. */
  readonly firstOwners: Map<number, number> = new Map();
  readonly outages: Outage[] = [];
  /** When the client's process was stopped, in ms since the epoch. */
  readonly pauses: { readonly from: number; readonly to: number }[] = [];
  /** What else happened, and when: to find the cause of a failure. */
  readonly notes: { readonly at: number; readonly text: string }[] = [];

  /** The port of the node that owns a slot. */
  ownerOf(slot: number): number | undefined {
    return this.takeovers.findLast((one) => one.slot === slot)?.port ?? this.firstOwners.get(slot);
  }

  /** Whether a node owned a slot at any time of a span. */
  owned(port: number, slot: number, from: number, to: number): boolean {
    let owner = this.firstOwners.get(slot);
    for (const takeover of this.takeovers) {
      if (takeover.slot !== slot) continue;
      if (owner === port && takeover.at >= from) return true;
      if (takeover.at > to) return false;
      owner = takeover.port;
    }
    return owner === port;
  }

  add(emission: Omit<Emission, "serial">): Emission {
    const whole = { ...emission, serial: this.emissions.length };
    this.emissions.push(whole);
    return whole;
  }
}
