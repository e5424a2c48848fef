/**
 * Which slots are watched, and their fences: shard channels, one for each hash slot. A user who may read
 * the channels of notifications and may use `SSUBSCRIBE` may subscribe to them, because their names match
 * the same patterns.
 */
import { matchGlob } from "../../parse/mod.ts";
import type { Connection } from "../../pubsub/connection/connection.ts";
import type { ServerChannel } from "../../pubsub/connection/requests.ts";
import type { Dispatcher } from "../../pubsub/dispatcher.ts";
import type { Status } from "../../pubsub/mod.ts";
import { hashSlot, includesSlot, type SlotRange, SLOTS } from "../discovery/slot.ts";
import type { Topology } from "../discovery/topology.ts";
import type { NodeStream } from "../migration/node_stream.ts";
import { Coverage, type SlotGap } from "./coverage.ts";
import type { Succession } from "./succession.ts";

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder();
const COLON = 0x3a;
const LINE_FEED = 0x0a;

/** A number whose decimal digits, as a hash tag, lie in the slot; found as they are needed. */
const tags: Int32Array = /* @__PURE__ */ new Int32Array(SLOTS).fill(-1);
let tried = 0;

/** The name of the shard channel that stands for a slot. */
export function fenceOf(slot: number): Uint8Array {
  while (tags[slot]! < 0) {
    const found = hashSlot(`${tried}`);
    if (tags[found]! < 0) tags[found] = tried;
    tried++;
  }
  return encoder.encode(`__keyspace@0__:{${tags[slot]}}`);
}

/** The slot of a shard channel, whatever its name. */
export function slotOfFence(channel: Uint8Array): number {
  return hashSlot(channel);
}

/**
 * The slots whose events channels can bring.
 *
 * @returns null if they can bring events of any slot
 */
export function slotsOfChannels(channels: Iterable<ServerChannel>): Set<number> | null {
  const slots = new Set<number>();
  for (const { bytes, isPattern } of channels) {
    if (isPattern) return null;
    const end = bytes.indexOf(COLON) + 1;
    const name = /^__(sub)?keyspace(item)?@\d+__:$/.exec(decoder.decode(bytes.subarray(0, end)));
    if (name === null) return null;
    const keyEnd = name[2] === undefined ? bytes.length : bytes.indexOf(LINE_FEED, end);
    slots.add(hashSlot(bytes.subarray(end, keyEnd < 0 ? bytes.length : keyEnd)));
  }
  return slots;
}

/**
 * The channels by which the opposites come of what these can bring: a key that `MIGRATE` moves is a
 * `restore` at one node and a `del` at another.
 *
 * @returns those that are not among them; only channels of events, because those of keys bring both
 */
export function oppositesOf(channels: Iterable<ServerChannel>): ServerChannel[] {
  const opposites = new Map<string, ServerChannel>();
  const given: { readonly text: string; readonly isPattern: boolean }[] = [];
  for (const { bytes, isPattern } of channels) {
    const text = decoder.decode(bytes);
    given.push({ text, isPattern });
    const [, start, event] = /^(__keyevent@.*?:|[^_:]*[*?[\\][^:]*:)([^:]*)$/s.exec(text) ?? [];
    if (start === undefined) continue;
    const brings = (name: string) => isPattern ? matchGlob(event!, name) : event === name;
    if (brings("del") === brings("restore")) continue;
    const opposite = start + (brings("del") ? "restore" : "del");
    opposites.set(opposite, { bytes: encoder.encode(opposite), isPattern });
  }
  return [...opposites].flatMap(([text, channel]) =>
    given.some((one) => one.text === text || one.isPattern && matchGlob(one.text, text))
      ? []
      : [channel]
  );
}

/** A node that may own slots. */
export interface SlotOwner {
  readonly id: string;
  /** As {@linkcode Member.heardSince}. */
  readonly heardSince: number | null;
  /** As {@linkcode Member.unheardFrom}. */
  readonly unheardFrom: number | null;
  /** As {@linkcode Member.unheardSince}. */
  unheardSince(owner: string): number | null;
  /** As {@linkcode Member.settledAt}. */
  settledAt(slot: number): number;
  /** As {@linkcode Member.sends}. */
  readonly sends: ReadonlyMap<number, string>;
  readonly gate: { readonly stream: NodeStream<unknown> | null };
  readonly server: { readonly connection: Connection | null; readonly silentFor: number };
}

/** What watched slots need: the members, and what is known of them. */
export interface SlotsContext extends ReadonlyMap<string, SlotOwner> {
  /** Takes the gaps. */
  readonly dispatcher: Dispatcher;
  readonly succession: Succession;
  /** The last topology; null before the first. */
  readonly topology: Topology | null;
  /** Returns the name of a node. */
  nameOf(id: string): string;
}

/**
 * The slots of a cluster: whose events are desired, which node is asked for which fences, and which
 * node covers them. Reports the gaps.
 */
export class WatchedSlots {
  /** Who covers which slot; {@linkcode report} takes the gaps that its methods return. */
  readonly coverage: Coverage = new Coverage();
  /** Whether only the nodes are connected to that events of the desired slots can come from. */
  isNarrow = true;
  /** Whether some node does not say where it hands slots over to, so that every primary is needed. */
  needsAll = false;
  readonly #members: SlotsContext;
  /** The slots whose events are desired; null for all. */
  #wanted: Set<number> | null = new Set();

  constructor(members: SlotsContext) {
    this.#members = members;
  }

  /**
   * The slots of a topology are to be covered by their owners.
   *
   * @param from since when events of slots may be missing that nobody covers yet, in ms since the epoch
   */
  expect({ primaries }: Topology, from: number): void {
    for (const { id } of primaries) this.coverage.expect(this.#wantedOf(id), id, from);
  }

  /** Notes that events of channels are desired, too. */
  want(channels: Iterable<ServerChannel>): void {
    const slots = slotsOfChannels(channels);
    if (slots === null) this.#wanted = null;
    else if (this.#wanted !== null) { for (const slot of slots) this.#wanted.add(slot); }
  }

  /** Notes that events of these channels are desired, and of no others any more. */
  wantOnly(channels: Iterable<ServerChannel>): void {
    this.#wanted = slotsOfChannels(channels);
    const unwanted = Array.from({ length: SLOTS }, (_, slot) => slot);
    this.coverage.forget(unwanted.filter((slot) => !this.isWanted(slot)));
  }

  /** Whether events of a slot are desired. */
  isWanted(slot: number): boolean {
    return this.#wanted === null || this.#wanted.has(slot);
  }

  /**
   * The nodes that events of the desired slots can come from: their owners, by the topology and by what
   * is heard; nodes to which these hand them over; and replicas that were promoted.
   *
   * @returns the ids; null if every primary is one of them
   */
  needed(topology: Topology): Set<string> | null {
    const { succession } = this.#members;
    const ids = new Set<string>();
    if (this.#wanted === null || this.needsAll && this.#wanted.size > 0) return null;
    for (const slot of this.#wanted) {
      for (const id of [topology.ownerOf(slot)?.id, this.coverage.nodeOf(slot)]) {
        if (id != null) ids.add(id);
      }
    }
    for (const { sends } of this.#members.values()) {
      for (const [slot, id] of sends) if (this.isWanted(slot)) ids.add(id);
    }
    for (const id of this.#members.keys()) {
      if (ids.has(succession.replacedBy(id)!)) ids.add(id);
    }
    return topology.primaries.every(({ id }) => ids.has(id)) ? null : ids;
  }

  /** The slots that a node covers, or covered last, and does not own any more by its own line. */
  unownedOf(id: string, line: readonly SlotRange[]): number[] {
    return this.coverage.slotsLastOf(id).filter((slot) => !includesSlot(line, slot));
  }

  /** Whether the slots of channels are covered. */
  covers(channels: Iterable<ServerChannel>): boolean {
    return [...slotsOfChannels(channels) ?? []].every((slot) => this.coverage.covers(slot));
  }

  /**
   * The slots of which a node needs a fence: those that it owns, and whose events are desired.
   *
   * @param channels only those whose events these channels can bring
   */
  toFence(id: string, channels?: Iterable<ServerChannel>): number[] {
    const wanted = channels === undefined ? this.#wanted : slotsOfChannels(channels);
    const owned = this.#named(id);
    // A replica may have been promoted before any node says so.
    const primary = this.#members.succession.replacedBy(id);
    if (primary !== null && owned.length === 0) {
      // Whichever is newer: an answer may name neither of them as the owner by now.
      owned.push(...new Set([...this.#named(primary), ...this.coverage.slotsLastOf(primary)]));
    }
    return wanted === null ? owned : owned.filter((slot) => wanted.has(slot));
  }

  /** Whether a node lacks a fence of a slot that it owns by the topology. */
  lacksFence({ id, heardSince, gate: { stream } }: SlotOwner): boolean {
    // One that is being connected to will have answered for all of them once it is heard.
    if (heardSince === null || stream === null || stream.isFenceless) return false;
    return this.toFence(id).some((slot) => !stream.holds(slot));
  }

  /** The desired slots that a node owns: by its fences, and without fences by the topology. */
  ownedBy({ id, gate: { stream } }: SlotOwner): number[] {
    if (stream === null || stream.isFenceless) return this.#wantedOf(id);
    const slots: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (stream.holds(slot) && this.isWanted(slot)) slots.push(slot);
    }
    return slots;
  }

  /** The desired slots that a node owns by the topology. */
  #wantedOf(id: string): number[] {
    return this.#named(id).filter((slot) => this.isWanted(slot));
  }

  /** The slots that a node owns by the topology. */
  #named(id: string): number[] {
    const ranges = this.#members.topology?.slotsOf(id) ?? [];
    return ranges.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, n) => first + n)
    );
  }

  /**
   * A node owns slots and is heard.
   *
   * @param atConnect whether it owned them already when it was connected to
   */
  gain(member: SlotOwner, slots: readonly number[], atConnect: boolean): void {
    const { id, heardSince } = member;
    if (heardSince === null) return;
    const { succession } = this.#members;
    const serverOf = (earlier: string) => this.#members.get(earlier)?.server;
    const gain = {
      heardSince,
      atConnect,
      unheardSince: (earlier: string) => member.unheardSince(earlier),
      provenAt: (earlier: string) => serverOf(earlier)?.connection?.lastAckAt ?? Infinity,
      takeover: (earlier: string) => {
        const { after, ...takeover } = succession.takeover(id, earlier);
        const server = earlier === id ? undefined : serverOf(earlier);
        // One that does not answer now may have been replaced since its last answer.
        const isSilent = server !== undefined && server.silentFor > 0;
        const provenAt = isSilent ? server.connection?.lastAckAt : undefined;
        return { ...takeover, after: Math.min(after, provenAt ?? Infinity) };
      },
    };
    this.report(this.coverage.gain(id, slots, gain, Date.now()));
  }

  /** A node has stopped owning a slot, at some time after `provenAt`, in ms since the epoch. */
  release(member: SlotOwner, slot: number, provenAt: number): void {
    let owner: string | null = null;
    // Nobody knows what one does that is not connected to.
    let areOthersHeard = !this.isNarrow;
    // Without arrays: a node that is replaced releases thousands of slots before its heir is heard.
    for (const other of this.#members.values()) {
      if (other === member) continue;
      if (other.heardSince === null) {
        areOthersHeard &&= this.#members.succession.of(other.id).isReplica;
      } else if (other.gate.stream?.holds(slot)) owner = other.id;
      // It may have owned the slot before it was heard.
      else if (other.unheardFrom !== null && other.heardSince > provenAt) areOthersHeard = false;
    }
    const { coverage, isNarrow } = this;
    const { id, heardSince } = member;
    // It may have sent clients to a node that is not heard since it was asked last.
    const from = isNarrow
      ? Math.min(provenAt, Math.max(member.settledAt(slot), heardSince ?? -Infinity))
      : provenAt;
    this.report(coverage.release(id, slot, from, areOthersHeard, owner, Date.now(), isNarrow));
  }

  /**
   * Notes what all nodes have proven by now.
   *
   * @param named when the last topology was asked for that named all nodes, in ms since the epoch
   */
  look(named: number): void {
    let provenAt = named;
    for (const { id, unheardFrom, server: { connection } } of this.#members.values()) {
      if (connection !== null) provenAt = Math.min(provenAt, connection.lastAckAt);
      // What is missing of one that is lost is known, but not whether a replica was promoted since.
      else if (this.#members.succession.of(id).isReplica) {
        provenAt = Math.min(provenAt, unheardFrom ?? Infinity);
      }
    }
    this.report(this.coverage.proven(provenAt));
  }

  /** What is covered and what is not. */
  status(): NonNullable<Status["slots"]> {
    const parts = this.coverage.parts().map(({ nodeId, ...part }) => ({
      ...part,
      node: nodeId === null ? null : this.#members.nameOf(nodeId),
    }));
    const rangesOf = (isCovered: boolean) =>
      this.coverage.slots(isCovered, (slot) => this.isWanted(slot));
    return { covered: rangesOf(true), uncovered: rangesOf(false), parts };
  }

  /** Reports gaps, if anything is subscribed. */
  report(gaps: readonly SlotGap[]): void {
    const { dispatcher } = this.#members;
    if (dispatcher.registry.size === 0) return;
    for (const { nodeId, reason, slots, from, to } of gaps) {
      const node = this.#members.nameOf(nodeId);
      dispatcher.reportGap({ kind: "gap", reason, node, slots, from, to });
    }
  }
}
