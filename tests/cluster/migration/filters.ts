import type { FilterLimits } from "../../../cluster/migration/event_queues.ts";
import { MigrationFilter } from "../../../cluster/migration/filter.ts";
import type { AskedNode, NodeReport, NodeStream } from "../../../cluster/migration/node_stream.ts";

/** A primary that takes part in no migration. */
export const IDLE: NodeReport = {
  role: "primary",
  primary: null,
  known: 2,
  epoch: 1,
  ownEpoch: null,
  slots: null,
  importing: null,
  sends: null,
  moves: [],
};

/** A report of a node to which an atomic migration brings a slot. */
export function importing(
  slot: number,
  state: "running" | "succeeded" | "failed" = "running",
  id = `move of ${slot}`,
): NodeReport {
  const slots = [{ first: slot, last: slot }];
  return {
    ...IDLE,
    moves: [{ id, slots, source: "a", direction: "in", state }],
  };
}

/** A node that answers nothing. */
export function silent(id: string): AskedNode {
  return { id, fence() {}, ping() {}, report() {} };
}

const encoder = new TextEncoder();

/** A filter with nodes of which the test says what they emit and answer. */
export class Scene {
  readonly filter: MigrationFilter<string>;
  /** What was decided, in order, such as `a set k real`. */
  decided: string[] = [];
  /** What the filter has asked for, in order. */
  asked: string[] = [];
  now = 0;
  readonly streams: Map<string, NodeStream<string>> = new Map();

  /** @param owners the slots of each node */
  constructor(owners: Readonly<Record<string, readonly number[]>>, limits: FilterLimits = {}) {
    this.filter = new MigrationFilter<string>({
      decide: (item, classification) => void this.decided.push(`${item} ${classification}`),
      outdated: () => void this.asked.push("topology"),
      demoted: ({ id }) => void this.asked.push(`demoted ${id}`),
    }, limits);
    const ids = Object.keys(owners);
    const ownerOf = (slot: number) => ids.find((id) => owners[id]!.includes(slot)) ?? null;
    this.filter.setTopology(new Set(ids), ids.length, ownerOf);
    for (const id of ids) this.open(id, owners[id]!);
    // Each has reported and proven something since the others are heard.
    for (const id of ids) this.report(id);
    for (const id of ids) this.ping(id);
    this.asked = [];
  }

  /** A connection to a node is made, and its fences are held. */
  open(id: string, slots: readonly number[]): void {
    const stream = this.filter.open({
      id,
      fence: (slot) => void this.asked.push(`fence ${id} ${slot}`),
      ping: () => {
        this.asked.push(`ping ${id}`);
        this.filter.pingSent(stream);
      },
      report: () => void this.asked.push(`report ${id}`),
    });
    this.streams.set(id, stream);
    for (const slot of slots) this.filter.fenced(stream, slot, true);
    this.filter.heard(stream);
  }

  stream(id: string): NodeStream<string> {
    return this.streams.get(id)!;
  }

  /** A node emits an event. */
  emit(id: string, type: string, key = "k", slot = 1): void {
    const event = { eventType: type, database: 0, keyBytes: encoder.encode(key) };
    this.filter.event(this.stream(id), slot, event, `${id} ${type} ${key}`, this.now, 10);
  }

  /** A node answers whether it owns a slot. */
  answer(id: string, owns: boolean, slot = 1): void {
    this.filter.fenced(this.stream(id), slot, owns);
  }

  /** A node stops owning a slot. */
  release(id: string, slot = 1): void {
    this.filter.released(this.stream(id), slot);
  }

  /** Each of the nodes answers the ping that it was sent. */
  prove(...ids: string[]): void {
    for (const id of ids) this.filter.proven(this.stream(id));
  }

  /** A node is sent a ping, and answers it. */
  ping(id: string): void {
    this.filter.pingSent(this.stream(id));
    this.prove(id);
  }

  /** A node is asked for a report, and gives it. */
  report(id: string, report: NodeReport = IDLE): void {
    this.filter.reportAsked(this.stream(id));
    this.filter.reported(this.stream(id), report);
  }

  /** What was decided since this was called last. */
  take(): string[] {
    return this.decided.splice(0);
  }
}
