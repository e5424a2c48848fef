import { AssertionError } from "@std/assert";
import type { GapReason } from "../../../mod.ts";
import type { Emission, History, Message } from "./history.ts";

/** What the client delivered, in its order: a notification or a gap. */
export type Item = DeliveredItem | GapItem;

/** A notification that the client delivered. */
export interface DeliveredItem {
  readonly kind: "keyspace" | "keyevent";
  readonly port: number;
  readonly key: string;
  readonly type: string;
  readonly receivedAt: number;
  /** Whether it is marked as an artefact, for certain or perhaps. */
  readonly migration: boolean | "maybe";
}

/** A gap that the client reported. */
export interface GapItem {
  readonly kind: "gap";
  readonly reason: GapReason;
  readonly node: string;
  readonly slots: readonly { readonly first: number; readonly last: number }[] | null;
  readonly from: number;
  readonly to: number;
}

/** Everything that a run can do wrong. */
export type Fault =
  /** A real event was received, and neither delivered nor in a gap. */
  | "hidden"
  /** A real event was not received, and is in no gap. */
  | "lost"
  /** An event was delivered more than once. */
  | "duplicate"
  /** An artefact was delivered as if it were real. */
  | "artefact"
  /** Events of one node were delivered in another order than it emitted them. */
  | "order"
  /** Something was delivered that no node emitted. */
  | "invented"
  /** A gap begins before the client connected, or ends before it begins. */
  | "gap"
  /** A gap was reported after a later event of the same slot. */
  | "late gap"
  /** Too much was marked as uncertain, or events of slots that were not migrating. */
  | "uncertain";

/** When the client was at work, in ms since the epoch. */
export interface Span {
  readonly connectedAt: number;
  readonly subscribedAt: number;
  readonly closedAt: number;
  /** How long a command and its answer travel, by the port of the node, in ms. */
  readonly roundTrips: ReadonlyMap<number, number>;
}

/**
 * How many uncertain events are accepted, and of how many of migrating slots, beside those that
 * nobody can tell: what a node emits about when it becomes the owner of a slot, and what happens while
 * something may be missing. A client that asks the node who owns the slot as soon as it has the last
 * answer knows what was emitted some round trips earlier or later. What remains is rare: a deletion
 * for which several nodes come into question, or a `MIGRATE` that one node did not finish.
 */
const UNCERTAIN_FLOOR = 10;
const UNCERTAIN_SHARE = 0.05;

/** How many round trips that are, and how much longer it may take, in ms. */
const ROUND_TRIPS = 3;
const DELAY = 5;

/** Compares what a client delivered with what happened. */
export class Report {
  readonly faults: { readonly fault: Fault; readonly text: string }[] = [];
  /** How many real events were to be delivered. */
  real = 0;
  /** How many of them are in a gap. */
  inGaps = 0;
  /** How many artefacts were received and kept back, or marked. */
  keptBack = 0;
  /** How many events were marked as uncertain that could have been told. */
  uncertain = 0;

  constructor(
    readonly history: History,
    readonly items: readonly Item[],
    readonly span: Span,
    readonly context: string,
  ) {
    const deliveries = this.#match();
    this.#checkEvents(deliveries);
    this.#checkGaps(deliveries);
  }

  /** The faults of these kinds; all if none is named. */
  of(...kinds: readonly Fault[]): readonly { readonly fault: Fault; readonly text: string }[] {
    return kinds.length === 0
      ? this.faults
      : this.faults.filter(({ fault }) => kinds.includes(fault));
  }

  /**
   * Asserts that there are no faults of these kinds, or none at all.
   *
   * @throws {AssertionError} with the first of them
   */
  assertSound(...kinds: readonly Fault[]): void {
    const faults = this.of(...kinds);
    if (faults.length === 0) return;
    throw new AssertionError(
      `${faults.length} faults, ${this.context}:\n` +
        faults.slice(0, 8).map(({ fault, text }) => `  ${fault}: ${text}`).join("\n"),
    );
  }

  /** All that was delivered, as text: the same for the same seed. */
  transcript(): string {
    return this.items.map((item) => JSON.stringify(item)).join("\n");
  }

  #fault(fault: Fault, text: string): void {
    this.faults.push({ fault, text });
  }

  /** Finds out which emission each delivery is, and checks their order. */
  #match(): Map<Emission, DeliveredItem[]> {
    const received = new Map<string, Message[]>();
    const ambiguous = new Set<Message[]>();
    for (const message of this.history.messages) {
      const { emission: { port, key, type }, kind, receivedAt } = message;
      for (const at of receivedAt) {
        const name = `${port} ${kind} ${key} ${type} ${at}`;
        const group = received.get(name);
        if (group === undefined) received.set(name, [message]);
        else {
          group.push(message);
          ambiguous.add(group);
        }
      }
    }
    const deliveries = new Map<Emission, DeliveredItem[]>();
    const last = new Map<number, Emission>();
    for (const item of this.items) {
      if (item.kind === "gap") continue;
      const { port, kind, key, type, receivedAt, migration } = item;
      const group = received.get(`${port} ${kind} ${key} ${type} ${receivedAt}`) ?? [];
      const isUnique = !ambiguous.has(group);
      // Of equal events in the same read nobody can tell which one it is: that which fits.
      const wanted = migration === true ? "artefact" : "real";
      const fitting = group.findIndex(({ emission }) => emission.truth === wanted);
      const [message] = group.splice(Math.max(0, fitting), 1);
      if (message === undefined) {
        this.#fault("invented", JSON.stringify(item));
        continue;
      }
      const { emission } = message;
      const before = last.get(port);
      if (isUnique) {
        if (before !== undefined && before.serial > emission.serial) {
          this.#fault("order", `${describe(emission)} after ${describe(before)}`);
        }
        last.set(port, emission);
      }
      const known = deliveries.get(emission);
      if (known === undefined) deliveries.set(emission, [item]);
      else known.push(item);
    }
    return deliveries;
  }

  #checkEvents(deliveries: ReadonlyMap<Emission, readonly DeliveredItem[]>): void {
    const { subscribedAt, closedAt } = this.span;
    const received = new Set<Emission>();
    let migrating = 0;
    for (const { emission, receivedAt } of this.history.messages) {
      if (receivedAt.length === 0) continue;
      received.add(emission);
      if (emission.isMigrating) migrating++;
    }
    for (const emission of this.history.emissions) {
      const { truth, at } = emission;
      const items = deliveries.get(emission) ?? [];
      if (items.length > 1) this.#fault("duplicate", describe(emission));
      const [item] = items;
      if (item?.migration === "maybe" && !this.#isUndecidable(emission)) {
        this.uncertain++;
        if (!emission.isMigrating) {
          this.#fault("uncertain", `${describe(emission)}, of a slot that does not migrate`);
        }
      }
      if (truth === "artefact") {
        if (item?.migration === false) this.#fault("artefact", describe(emission));
        else if (item?.migration !== "maybe" && received.has(emission)) this.keptBack++;
      } else if (truth === "real" && subscribedAt <= at && at < closedAt) {
        this.real++;
        if (item !== undefined && item.migration !== true) continue;
        if (this.#isInGap(emission)) this.inGaps++;
        else this.#fault(received.has(emission) ? "hidden" : "lost", describe(emission));
      }
    }
    const most = Math.max(UNCERTAIN_FLOOR, migrating * UNCERTAIN_SHARE);
    if (this.uncertain > most) {
      this.#fault("uncertain", `${this.uncertain} events, of ${migrating} of migrating slots`);
    }
  }

  /** Whether nobody can tell what this was. */
  #isUndecidable({ slot, at, port }: Emission): boolean {
    const isInGap = this.items.some((item) =>
      item.kind === "gap" && item.from <= at && at <= item.to
    );
    if (isInGap) return true;
    const { takeovers, pauses } = this.history;
    const wait = ROUND_TRIPS * this.span.roundTrips.get(port)! + DELAY;
    return takeovers.some((takeover) => {
      if (takeover.slot !== slot || takeover.port !== port) return false;
      const first = Math.min(at, takeover.at) - wait;
      const last = Math.max(at, takeover.at) + wait;
      const paused = pauses.filter(({ from, to }) => from <= last && first <= to)
        .reduce((sum, { from, to }) => sum + to - from, 0);
      return Math.abs(takeover.at - at) <= wait + paused;
    });
  }

  #isInGap({ slot, at, port }: Emission): boolean {
    return this.items.some((item) =>
      item.kind === "gap" && item.from <= at && at <= item.to &&
      (item.slots === null
        ? item.node === `127.0.0.1:${port}`
        : item.slots.some(({ first, last }) => first <= slot && slot <= last))
    );
  }

  #checkGaps(deliveries: ReadonlyMap<Emission, readonly DeliveredItem[]>): void {
    const emitted = new Map<Item, Emission>();
    for (const [emission, items] of deliveries) {
      for (const item of items) emitted.set(item, emission);
    }
    const latest = new Map<number, Emission>();
    for (const item of this.items) {
      if (item.kind !== "gap") {
        const emission = emitted.get(item);
        if (emission?.truth === "real") latest.set(emission.slot, emission);
        continue;
      }
      const { from, to, slots } = item;
      if (from < this.span.connectedAt || to < from) {
        this.#fault("gap", JSON.stringify({ ...item, slots: undefined }));
      }
      for (const [slot, emission] of latest) {
        const isOf = slots?.some(({ first, last }) => first <= slot && slot <= last) ?? false;
        if (isOf && emission.at > to) {
          this.#fault("late gap", `one that ended at ${to % 1e9} after ${describe(emission)}`);
        }
      }
    }
  }
}

function describe({ serial, port, slot, key, type, at, truth, why }: Emission): string {
  return `${type} of ${key} (slot ${slot}) at ${port}, event ${serial} at ${at % 1e9}: ${truth}, ` +
    `by ${why}`;
}
