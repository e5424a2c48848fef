import type { GapReason } from "../../../mod.ts";
import { FaultError } from "../../goal.ts";
import type { Emission, History, Message, Outage } from "./history.ts";

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
export const FAULTS = [
  /** A real event was received, and neither delivered nor in a gap. */
  "hidden",
  /** A real event was not received, and is in no gap. */
  "lost",
  /** A write that a failover has undone was neither delivered, nor is it in a gap. */
  "undone",
  /** An event was delivered more than once. */
  "duplicate",
  /** An artefact was delivered as if it were real. */
  "artefact",
  /**
   * Events of one slot were delivered in another order than their node emitted them. A client may
   * hold back those of one slot until it knows who owns it, while those of others go on.
   */
  "order",
  /** Something was delivered that no node emitted. */
  "invented",
  /** A gap begins before the client connected, or ends before it begins. */
  "gap",
  /** A gap is longer than something was down, or of slots that nothing was down for. */
  "wide gap",
  /** A gap was reported after a later event of the same slot. */
  "late gap",
  /** Too much was marked as uncertain, or events of slots that were not migrating. */
  "uncertain",
] as const;

export type Fault = typeof FAULTS[number];

/** When the client was at work, in ms since the epoch. */
export interface Span {
  readonly connectedAt: number;
  readonly subscribedAt: number;
  readonly closedAt: number;
  /** The slots whose events the client watches; null for all. */
  readonly watched?: ReadonlySet<number> | null;
  /** How long a command and its answer travel, by the port of the node, in ms. */
  readonly roundTrips: ReadonlyMap<number, number>;
  /** How much longer than what was down a gap may be, beside pauses and round trips, in ms. */
  readonly slack: number;
}

/**
 * How many uncertain events are accepted, and of how many of migrating slots, beside those that
 * cannot be decided: what a node emits about when it becomes the owner of a slot, and what happens while
 * something may be missing. A client that asks the node who owns the slot as soon as it has the last
 * answer knows what was emitted some round trips earlier or later. What remains is rare: a deletion
 * for which several nodes come into question, or a `MIGRATE` that one node did not finish.
 */
const UNCERTAIN_FLOOR = 10;
const UNCERTAIN_SHARE = 0.05;

/** How many round trips that are, and how much longer it may take, in ms. */
const ROUND_TRIPS = 3;
const DELAY = 5;

/** Events of which `MIGRATE` may have made one and another node the opposite, or that come before one. */
const PAIRED = new Set(["del", "restore", "new", "overwritten", "type_changed"]);

/** Events that `RESTORE` makes. */
const RESTORED = new Set(["restore", "new", "overwritten", "type_changed"]);

/** How long a client may go without asking whether a silent node is there, in ms. */
const LONGEST_SILENCE = 20_000;

/** How long it may take to hear everything again after an outage, beside round trips, in ms. */
const LONGEST_RECOVERY = 3_000;

/** How many round trips it takes at most to find out where to connect to, and to be subscribed there. */
const RECONNECTING = 10;

/** Compares what a client delivered with what happened. */
export class Report {
  readonly faults: { readonly fault: Fault; readonly text: string }[] = [];
  /** How many real events were to be delivered. */
  real = 0;
  /** How many of them are in a gap. */
  inGaps = 0;
  /** How many artefacts were received and kept back, or marked. */
  keptBack = 0;
  /** How many events were marked as uncertain that could have been decided. */
  uncertain = 0;
  readonly #outages: readonly Outage[];

  constructor(
    readonly history: History,
    readonly items: readonly Item[],
    readonly span: Span,
    readonly context: string,
  ) {
    const deliveries = this.#match();
    this.#checkEvents(deliveries);
    this.#outages = this.#sinceHeard();
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
   * @throws {FaultError} with the first of them
   */
  assertSound(...kinds: readonly Fault[]): void {
    const faults = this.of(...kinds);
    if (faults.length === 0) return;
    throw new FaultError(
      `${faults.length} faults, ${this.context}:\n` +
        faults.slice(0, 8).map(({ fault, text }) => `  ${fault}: ${text}`).join("\n"),
      [...new Set(faults.map(({ fault }) => fault))],
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
    const groups = new Map<string, { messages: Message[]; places: number[] }>();
    for (const message of this.history.messages) {
      const { emission: { port, key, type }, kind, receivedAt } = message;
      for (const at of receivedAt) {
        const name = `${port} ${kind} ${key} ${type} ${at}`;
        const group = groups.get(name) ?? { messages: [], places: [] };
        groups.set(name, group);
        group.messages.push(message);
      }
    }
    const delivered = this.items.filter((item): item is DeliveredItem => item.kind !== "gap");
    for (const [place, item] of delivered.entries()) {
      const { port, kind, key, type, receivedAt } = item;
      groups.get(`${port} ${kind} ${key} ${type} ${receivedAt}`)?.places.push(place);
    }
    const emissions = new Map<number, Emission>();
    const unique = new Set<number>();
    for (const { messages, places } of groups.values()) {
      const items = places.map((place) => delivered[place]!);
      for (const [index, emission] of align(messages.map((one) => one.emission), items).entries()) {
        emissions.set(places[index]!, emission);
        if (messages.length === 1) unique.add(places[index]!);
      }
    }
    const deliveries = new Map<Emission, DeliveredItem[]>();
    const last = new Map<string, Emission>();
    for (const [place, item] of delivered.entries()) {
      const emission = emissions.get(place);
      if (emission === undefined) {
        this.#fault("invented", JSON.stringify(item));
        continue;
      }
      const stream = `${emission.port} ${emission.slot}`;
      const before = last.get(stream);
      if (unique.has(place)) {
        if (before !== undefined && before.serial > emission.serial) {
          this.#fault("order", `${describe(emission)} after ${describe(before)}`);
        }
        last.set(stream, emission);
      }
      deliveries.set(emission, [...deliveries.get(emission) ?? [], item]);
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
      if (this.span.watched?.has(emission.slot) === false) continue;
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
      } else if (truth !== "either" && subscribedAt <= at && at < closedAt) {
        this.real++;
        if (item !== undefined && item.migration !== true) continue;
        if (this.#isInGap(emission)) this.inGaps++;
        else if (truth === "undone") this.#fault("undone", describe(emission));
        else this.#fault(received.has(emission) ? "hidden" : "lost", describe(emission));
      }
    }
    const most = Math.max(UNCERTAIN_FLOOR, migrating * UNCERTAIN_SHARE);
    if (this.uncertain > most) {
      this.#fault("uncertain", `${this.uncertain} events, of ${migrating} of migrating slots`);
    }
  }

  /** Whether it cannot be decided what this was. */
  #isUndecidable(emission: Emission): boolean {
    const { slot, at, port, type, truth } = emission;
    if (truth === "either" || truth === "undone" || this.#isInGap(emission)) return true;
    // A `restore` may have come from a node that is not connected to.
    if (this.span.watched != null && RESTORED.has(type)) return true;
    // A node that is down may have emitted the opposite.
    if (PAIRED.has(type) && this.#isDownAt(at)) return true;
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

  /** Whether some node could not be heard at a time, or it was not known yet that it could. */
  #isDownAt(at: number): boolean {
    const { history: { outages, pauses }, span } = this;
    return outages.some(({ from, to }) => {
      const paused = pauses.filter((pause) => pause.from <= to && from <= pause.to)
        .reduce((sum, pause) => sum + pause.to - pause.from, 0);
      const wait = span.slack + paused + RECONNECTING * Math.max(...span.roundTrips.values());
      return from - wait <= at && at <= to + wait + LONGEST_RECOVERY;
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

  /**
   * The outages from when something was heard of the node last: while nothing comes, the client asks
   * whether that is so from time to time only.
   */
  #sinceHeard(): Outage[] {
    const heard = new Map<number, number[]>();
    for (const { emission: { port, at }, receivedAt } of this.history.messages) {
      if (receivedAt.length === 0) continue;
      const times = heard.get(port);
      if (times === undefined) heard.set(port, [at]);
      else times.push(at);
    }
    return this.history.outages.map((outage) => {
      const last = heard.get(outage.stream)?.findLast((at) => at <= outage.from) ?? 0;
      return { ...outage, from: Math.max(last, outage.from - LONGEST_SILENCE) };
    });
  }

  /** What of a gap no outage explains; null if nothing. */
  #unexplained(gap: GapItem): string | null {
    const { from, to } = gap;
    const { history, span } = this;
    const paused = history.pauses.filter((pause) => pause.from <= to && from <= pause.to)
      .reduce((sum, pause) => sum + pause.to - pause.from, 0);
    const slack = span.slack + paused + RECONNECTING * Math.max(...span.roundTrips.values());
    for (const slot of history.firstOwners.keys()) {
      if (!this.#isOfGap(gap, slot) || history.orphans.has(slot)) continue;
      let explained = from;
      let missing = 0;
      const outages = this.#outages
        .filter((one) => one.from - slack <= to && from <= one.to + slack)
        .filter(({ port, ...one }) => history.owned(port, slot, one.from - slack, one.to + slack))
        .sort((one, other) => one.from - other.from);
      for (const outage of outages) {
        missing += Math.max(0, Math.min(outage.from, to) - explained);
        explained = Math.max(explained, outage.to);
      }
      missing += Math.max(0, to - explained);
      if (outages.length === 0) return `nothing was down for slot ${slot}`;
      if (missing > slack) return `slot ${slot} was reachable for ${missing} ms of it`;
    }
    return null;
  }

  /** Whether a gap is one of a slot, at some time of it. */
  #isOfGap({ node, slots, from, to }: GapItem, slot: number): boolean {
    if (slots !== null) return slots.some(({ first, last }) => first <= slot && slot <= last);
    return this.history.owned(Number(node.split(":").at(-1)), slot, from, to);
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
      const unexplained = this.#unexplained(item);
      if (unexplained !== null) {
        this.#fault("wide gap", `${item.reason}, ${from % 1e9} to ${to % 1e9}: ${unexplained}`);
      }
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

/**
 * Says of equal events of one read, and of what was delivered of them, which is which: in order, and so
 * that as little as possible is wrong, for they cannot be distinguished.
 *
 * @returns those that were delivered, as far as there are so many
 */
function align(
  emissions: readonly Emission[],
  items: readonly DeliveredItem[],
): Emission[] {
  if (emissions.length === items.length) return [...emissions];
  /** The fewest faults of the rest, by how many of both come before it. */
  const fewest = Array.from(
    { length: emissions.length + 1 },
    () => new Array<number>(items.length + 1).fill(0),
  );
  const isReal = ({ truth }: Emission) => truth === "real";
  const skipping = (e: number, i: number) => fewest[e + 1]![i]! + (isReal(emissions[e]!) ? 1 : 0);
  const matching = (e: number, i: number) => {
    const { migration } = items[i]!;
    const isWrong = migration !== "maybe" && migration === isReal(emissions[e]!);
    return fewest[e + 1]![i + 1]! + (isWrong ? 1 : 0);
  };
  for (let e = emissions.length; e >= 0; e--) {
    for (let i = items.length; i >= 0; i--) {
      if (e === emissions.length) fewest[e]![i] = items.length - i;
      else if (i === items.length) fewest[e]![i] = skipping(e, i);
      else fewest[e]![i] = Math.min(skipping(e, i), matching(e, i));
    }
  }
  const aligned: Emission[] = [];
  for (let e = 0; e < emissions.length && aligned.length < items.length; e++) {
    const i = aligned.length;
    if (matching(e, i) <= skipping(e, i)) aligned.push(emissions[e]!);
  }
  return aligned;
}

function describe({ serial, port, slot, key, type, at, truth, why }: Emission): string {
  return `${type} of ${key} (slot ${slot}) at ${port}, event ${serial} at ${at % 1e9}: ${truth}, ` +
    `by ${why}`;
}
