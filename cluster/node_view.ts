import { type Address, formatAddress } from "../pubsub/mod.ts";
import { excerpt } from "../pubsub/printable.ts";
import { type Reply, ServerError } from "../resp/mod.ts";
import { countOf, fieldsOf, listOf, textOf } from "./discovery/reply_fields.ts";
import { SLOTS } from "./discovery/slot.ts";
import type { CommandStats } from "./server_info.ts";
import { areDisjoint, byFirst, type SlotRange, slotRanges, union } from "./discovery/slot_range.ts";
import type { NodeRole } from "./discovery/topology.ts";
import { TopologyError } from "./discovery/topology_error.ts";

/**
 * What a node says of itself. Only its own word tells whether it owned a slot at a moment: others
 * learn of a move later.
 *
 * @example
 * ```ts
 * import { includesSlot, type NodeView } from "@keywatch/keywatch/cluster";
 *
 * function takesPart(view: NodeView, slot: number): boolean {
 *   return includesSlot(view.slots, slot) || view.importing?.has(slot) === true;
 * }
 * ```
 */
export interface NodeView {
  /** What it is; left out where the answer does not say, which means a primary. */
  readonly role?: NodeRole;
  /** The slots it owns. */
  readonly slots: readonly SlotRange[];
  /** The slots it was asked about, where `slots` says nothing of others. */
  readonly asked?: readonly SlotRange[];
  /**
   * The slots it takes in by `CLUSTER SETSLOT … IMPORTING`, with the id of the node they come from;
   * left out where the answer does not say.
   */
  readonly importing?: ReadonlyMap<number, string>;
  /**
   * The slots it gives away by `CLUSTER SETSLOT … MIGRATING`, with the id of the node they go to;
   * left out where the answer does not say.
   */
  readonly migrating?: ReadonlyMap<number, string>;
  /**
   * The moves of slots as a whole that it takes or took part in, by {@linkcode parseSlotMoves}; left
   * out where it was not asked or did not tell.
   */
  readonly moves?: readonly SlotMove[];
  /**
   * Whether it copies keys whose time has run out like others, where slots move as a whole: Redis does
   * (8.6.3), of Valkey that is not certain. Left out where that is not known.
   */
  readonly copiesLapsed?: boolean;
  /** What its count of commands tells, by {@linkcode readCommandStats}; left out where not asked. */
  readonly stats?: CommandStats;
}

/**
 * A move of slots as a whole, as one of the two nodes tells it.
 *
 * @example
 * ```ts
 * import { formatSlots, type SlotMove } from "@keywatch/keywatch/cluster";
 *
 * function report({ slots, direction, state, created }: SlotMove): void {
 *   console.log(formatSlots(slots), direction, state, new Date(created).toISOString());
 * }
 * ```
 */
export interface SlotMove {
  /** What the server calls it. */
  readonly id: string;
  /** The slots. */
  readonly slots: readonly SlotRange[];
  /** Whether they come to the node that tells it, or go from it. */
  readonly direction: "in" | "out";
  /**
   * The id of the node they come from; null where the answer does not say, as when a Valkey replica,
   * which has perhaps taken over since, tells what came to its primary.
   */
  readonly source: string | null;
  /** How it stands. */
  readonly state: "running" | "succeeded" | "failed";
  /** Whether it was begun anew, as a Redis server does by itself after a failure. */
  readonly isRetried: boolean;
  /** When it was asked for, in ms since the epoch by the clock of the node that tells it. */
  readonly created: number;
}

/**
 * Reads what a node says of itself in the answer to `CLUSTER NODES`: on its own line alone stands
 * which slots are on the move by `CLUSTER SETSLOT`.
 *
 * @param reply the answer
 * @param asked the address it came from
 * @returns the node's id and what it says
 * @throws {TopologyError} when it is an error, or is malformed
 *
 * @example
 * ```ts
 * import { parseNodes } from "@keywatch/keywatch/cluster";
 *
 * const line = "07c3… 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 [5461-<-67ed…]\n";
 * const view = parseNodes(line, { hostname: "127.0.0.1", port: 7000 });
 * console.log(view.id, view.importing.get(5461)); // 07c3… 67ed…
 * ```
 */
export function parseNodes(
  reply: Reply,
  asked: Address,
): NodeView & Required<Pick<NodeView, "role" | "importing" | "migrating">> & { id: string } {
  const fail = (why: string, cause?: unknown) =>
    new TopologyError("CLUSTER NODES", formatAddress(asked), why, { cause });
  if (reply instanceof ServerError) throw fail(`it is an error, ${excerpt(reply.message)}`, reply);
  const text = textOf(reply);
  if (text === null) throw fail("it is not a text");
  const line = ownLine(text);
  if (line === null) throw fail("no line is the node's own");
  // A separator is looked for from where the last one stands: the line may be of any length.
  let end = -1;
  const next = (): string => {
    const start = end + 1;
    const space = line.indexOf(" ", start);
    end = space < 0 ? line.length : space;
    return line.slice(start, end);
  };
  const [id, , flags] = [next(), next(), next()];
  for (let i = 3; i < HEAD; i++) next();
  const slots: SlotRange[] = [];
  const importing = new Map<number, string>();
  const migrating = new Map<number, string>();
  while (end < line.length) {
    const word = next();
    const [, slot, way, other] = /^\[(\d{1,5})-([<>])-([^\]]+)\]$/.exec(word) ?? [];
    if (slot !== undefined && Number(slot) < SLOTS) {
      (way === "<" ? importing : migrating).set(Number(slot), other!);
      continue;
    }
    const range = readSlotRange(word);
    if (range === null) throw fail(`"${excerpt(word, 40)}" is not a range of slots`);
    if (slots.push(range) > SLOTS) break;
  }
  if (!areDisjoint(slots.sort(byFirst))) throw fail("it lists a slot twice");
  const role = hasFlag(flags, "master") ? "primary" : "replica";
  return { id, role, slots: union(slots), importing, migrating };
}

/** How many words stand before the slots in a line of `CLUSTER NODES`. */
const HEAD = 8;

/** The line of `CLUSTER NODES` with the flag `myself`; null when there is none. */
function ownLine(text: string): string | null {
  for (let end = 0;;) {
    // Lines without the word are passed over at once, however many there are.
    const found = text.indexOf("myself", end);
    if (found < 0) return null;
    const start = text.lastIndexOf("\n", found) + 1;
    const next = text.indexOf("\n", found);
    end = next < 0 ? text.length : next;
    const line = text.slice(start, end);
    const [id, , flags = ""] = line.split(" ", 3);
    if (id !== "" && hasFlag(flags, "myself")) return line;
  }
}

function hasFlag(flags: string, flag: string): boolean {
  return `,${flags},`.includes(`,${flag},`);
}

/** A slot, or the first and the last of several: `5` or `5-9`; null when it is something else. */
function readSlotRange(word: string): SlotRange | null {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
  if (!(Number(first) <= Number(last) && Number(last) < SLOTS)) return null;
  return { first: Number(first), last: Number(last) };
}

/**
 * Reads the moves of slots as a whole that a node takes part in from the answer to
 * `CLUSTER MIGRATION STATUS ALL` (Redis 8.4 and later) or `CLUSTER GETSLOTMIGRATIONS` (Valkey 9.0 and
 * later). Moves that have ended are listed too, for as long as the server remembers them.
 *
 * @param reply the answer
 * @returns the moves; none when the server has no such command and so no such moves; null when it
 * does not tell, as without the right to ask, or in words that cannot be understood
 *
 * @example
 * ```ts
 * import { parseSlotMoves } from "@keywatch/keywatch/cluster";
 *
 * const move = ["id", "0c03…", "slots", "5461-5470", "source", "67ed…", "operation", "import"];
 * const row = [...move, "state", "completed", "create_time", 1795220334448];
 * console.log(parseSlotMoves([row])?.[0]?.state); // "succeeded"
 * ```
 */
export function parseSlotMoves(reply: Reply): SlotMove[] | null {
  if (reply instanceof ServerError) return /unknown/i.test(reply.message) ? [] : null;
  const rows = listOf<Reply>(reply);
  if (rows === null || rows.length > MOST_MOVES) return null;
  const moves: SlotMove[] = [];
  let ranges = 0;
  for (const row of rows) {
    const move = readMove(row);
    if (move === null || (ranges += move.slots.length) > SLOTS) return null;
    moves.push(move);
  }
  return moves;
}

/**
 * How many moves a server may list: twice as many as the one that remembers most by default, Valkey.
 * Each of them is compared with each slot that is on the move.
 */
const MOST_MOVES = 2_048;

function readMove(row: Reply): SlotMove | null {
  const fields = fieldsOf(row);
  const given = (...names: string[]) => names.find((name) => fields?.has(name)) ?? "";
  const field = (...names: string[]) => textOf(fields?.get(given(...names)));
  const id = field("id", "name");
  const source = field("source", "source_node");
  const isSourceGiven = given("source", "source_node") !== "";
  const slots = readRanges(field("slots", "slot_ranges"));
  const operation = field("operation");
  const state = field("state");
  const created = countOf(fields?.get("create_time"));
  if (!id || isSourceGiven && !source || slots === null) return null;
  if (operation === null || state === null || created === null) return null;
  return {
    id,
    slots,
    direction: operation.toLowerCase() === "import" ? "in" : "out",
    source,
    state: readState(state),
    isRetried: (countOf(fields?.get("retries")) ?? 0) > 0,
    // Valkey tells it in seconds.
    created: created < 1e11 ? created * 1_000 : created,
  };
}

/**
 * Reads which slots a node owns from the answer to `CLUSTER SLOT-STATS SLOTSRANGE` (Redis 8.2,
 * Valkey 8.0 and later), which names only those it owns: the cheapest question about one slot.
 *
 * @param reply the answer
 * @param asked the slots it was asked about
 * @returns what it says; null when it is an error or cannot be understood
 *
 * @example
 * ```ts
 * import { parseSlotStats } from "@keywatch/keywatch/cluster";
 *
 * const view = parseSlotStats([[7, ["key-count", 0]]], { first: 7, last: 8 });
 * console.log(view?.slots); // [{ first: 7, last: 7 }]
 * ```
 */
export function parseSlotStats(reply: Reply, asked: SlotRange): NodeView | null {
  const rows = listOf(reply);
  if (rows === null) return null;
  const owned = new Uint8Array(SLOTS);
  for (const row of rows) {
    const slot = countOf(listOf(row)?.[0]);
    if (slot === null) return null;
    if (asked.first <= slot && slot <= asked.last) owned[slot] = 1;
  }
  return { slots: slotRanges((slot) => owned[slot] === 1), asked: [asked] };
}

/** Ranges in ascending order; null when that is not what they are, or they share a slot. */
function readRanges(text: string | null): SlotRange[] | null {
  const words = text?.split(/[ ,]+/, SLOTS + 1) ?? [];
  const ranges = words.flatMap((word) => readSlotRange(word) ?? []).sort(byFirst);
  if (words.length === 0 || words.length > SLOTS || ranges.length < words.length) return null;
  return areDisjoint(ranges) ? ranges : null;
}

function readState(state: string): SlotMove["state"] {
  if (/^(completed|success)$/i.test(state)) return "succeeded";
  return /^(cancell?ed|failed)$/i.test(state) ? "failed" : "running";
}
