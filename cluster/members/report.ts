import type { Connection } from "../../pubsub/connection/connection.ts";
import { readRole } from "../../pubsub/connection/info.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { fieldsOf, listOf, textOf } from "../discovery/reply_fields.ts";
import { type SlotRange, SLOTS } from "../discovery/slot.ts";
import type { NodeReport, SlotMove } from "../migration/node_stream.ts";

/** The commands that list atomic migrations: of Redis 8.4 and later, and of Valkey 9.0 and later. */
export const LIST_MOVES: readonly [string, ...string[]][] = [
  ["CLUSTER", "MIGRATION", "STATUS", "ALL"],
  ["CLUSTER", "GETSLOTMIGRATIONS"],
];

/** What a node knows of its cluster; null where it does not say. */
export interface ClusterInfo {
  /** The number of nodes. */
  readonly known: number | null;
  /** The current epoch, which is the highest of any node. */
  readonly epoch: number | null;
  /** The node's own: one that takes a slot over gets the highest. */
  readonly ownEpoch: number | null;
}

/** What a node says of itself and others in `CLUSTER NODES`. */
export interface NodeLines {
  /** The number of nodes that it knows. */
  readonly known: number;
  /** The slots that it owns. */
  readonly slots: readonly SlotRange[];
  /** The slots that it takes in key by key: in the state `IMPORTING`. */
  readonly importing: ReadonlySet<number>;
  /** The slots that it hands over key by key, in the state `MIGRATING`, with the ids of their targets. */
  readonly sends: ReadonlyMap<number, string>;
  /** The id of the primary that it follows; null if it follows none. */
  readonly primary: string | null;
}

/**
 * How many migrations a server may list: twice as many as the one that remembers most by default,
 * Valkey.
 */
const MOST_MOVES = 2_048;

/** A report, and the commands that list atomic migrations, as far as the node may know them. */
export interface ReportWithListings {
  readonly report: NodeReport;
  readonly listings: typeof LIST_MOVES;
}

/**
 * Requests a report of a node, in one round trip if it is a primary.
 *
 * @param protocol the protocol of the connection
 * @param whole whether the node has to say which slots it owns, takes in and hands over key by key
 * @param listings the commands that list atomic migrations
 * @throws the reason for which the connection is over
 */
export async function requestReport(
  connection: Connection,
  protocol: 2 | 3,
  whole: boolean,
  listings: typeof LIST_MOVES,
): Promise<ReportWithListings> {
  const [{ role }, cluster, nodes, ...lists] = await Promise.all([
    readRole(connection, protocol),
    send(connection, "CLUSTER", "INFO"),
    whole ? send(connection, "CLUSTER", "NODES") : null,
    ...listings.map((words) => send(connection, ...words)),
  ]);
  const isAskedAgain = !whole && role === "replica";
  const lines = parseNodeLines(isAskedAgain ? await send(connection, "CLUSTER", "NODES") : nodes);
  const info = parseClusterInfo(cluster);
  // Which command the node knows is found by trying.
  const index = lists.findIndex((reply) => !isUnknown(reply));
  const report = {
    // One that follows nobody by then was promoted meanwhile.
    role: isAskedAgain && lines !== null && lines.primary === null ? "primary" as const : role,
    ...info,
    known: info.known ?? lines?.known ?? null,
    primary: lines?.primary ?? null,
    slots: lines?.slots ?? null,
    importing: lines?.importing ?? null,
    sends: lines?.sends ?? null,
    moves: index < 0 ? [] : parseMoves(lists[index]!),
  };
  return { report, listings: listings.slice(index, index + 1) };
}

/** Sends a command; an error reply is a reply. */
async function send(connection: Connection, ...command: [string, ...string[]]): Promise<Reply> {
  try {
    return await connection.send(...command);
  } catch (error) {
    if (error instanceof ServerError) return error;
    throw error;
  }
}

function isUnknown(reply: Reply): boolean {
  return reply instanceof ServerError && /unknown/i.test(reply.message);
}

/**
 * Reads the reply to `CLUSTER MIGRATION STATUS ALL` (Redis 8.4 and later) or
 * `CLUSTER GETSLOTMIGRATIONS` (Valkey 9.0 and later). Migrations that are over are listed as well, as
 * long as the server remembers them.
 *
 * @returns the migrations; none if the server has no such command; null if it refuses, or its words
 * cannot be understood
 */
export function parseMoves(reply: Reply): SlotMove[] | null {
  if (reply instanceof ServerError) return isUnknown(reply) ? [] : null;
  const rows = listOf(reply);
  if (rows === null || rows.length > MOST_MOVES) return null;
  const moves = rows.map(readMove);
  let ranges = 0;
  for (const move of moves) {
    if (move === null || (ranges += move.slots.length) > SLOTS) return null;
  }
  return moves as SlotMove[];
}

function readMove(row: unknown): SlotMove | null {
  const fields = fieldsOf(row);
  const id = textOf(fields?.get("id") ?? fields?.get("name"));
  const slots = readRanges(textOf(fields?.get("slots") ?? fields?.get("slot_ranges")));
  const operation = textOf(fields?.get("operation"));
  const state = textOf(fields?.get("state"));
  if (!id || slots === null || operation === null || state === null) return null;
  return {
    id,
    slots,
    source: textOf(fields?.get("source") ?? fields?.get("source_node")),
    direction: operation.toLowerCase() === "import" ? "in" : "out",
    state: /^(completed|success)$/i.test(state)
      ? "succeeded"
      : /^(cancell?ed|failed)$/i.test(state)
      ? "failed"
      : "running",
  };
}

function readRanges(text: string | null): SlotRange[] | null {
  const words = text?.split(/[ ,]+/, SLOTS + 1) ?? [];
  if (words.length === 0 || words.length > SLOTS) return null;
  const ranges: SlotRange[] = [];
  for (const word of words) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
    if (!(Number(first) <= Number(last) && Number(last) < SLOTS)) return null;
    ranges.push({ first: Number(first), last: Number(last) });
  }
  return ranges;
}

/** Reads what a node knows of its cluster from its reply to `CLUSTER INFO`. */
export function parseClusterInfo(reply: Reply): ClusterInfo {
  const text = textOf(reply) ?? "";
  return {
    known: readNumber(/^cluster_known_nodes:(\d{1,15})\r?$/m, text),
    epoch: readNumber(/^cluster_current_epoch:(\d{1,15})\r?$/m, text),
    ownEpoch: readNumber(/^cluster_my_epoch:(\d{1,15})\r?$/m, text),
  };
}

function readNumber(pattern: RegExp, text: string): number | null {
  const [, digits] = pattern.exec(text) ?? [];
  return digits === undefined ? null : Number(digits);
}

/**
 * Reads the reply to `CLUSTER NODES`: the slots that migrate key by key stand on the line of the node
 * itself alone.
 *
 * @returns null if the server refuses, or its words cannot be understood
 */
export function parseNodeLines(reply: Reply): NodeLines | null {
  const text = textOf(reply);
  if (text === null) return null;
  // A line at a time: the text may be of any length.
  let known = 0;
  let own: string | null = null;
  for (let start = 0; start < text.length;) {
    const next = text.indexOf("\n", start);
    const end = next < 0 ? text.length : next;
    if (end > start) known++;
    const line: string = own === null ? text.slice(start, end) : "";
    if (/^\S+ \S+ (?:[^ ,]+,)*myself\b/.test(line)) own = line;
    start = end + 1;
  }
  if (own === null) return null;
  const slots: SlotRange[] = [];
  const importing = new Set<number>();
  const sends = new Map<number, string>();
  const pattern = / (?:(\d{1,5})(?:-(\d{1,5}))?(?= |$)|\[(\d{1,5})-([<>])-([^\] ]+)\])/g;
  // What a number means depends on its place; slots come last.
  const [head = ""] = /^(?:\S+ ){8}/.exec(`${own} `) ?? [];
  pattern.lastIndex = Math.max(0, head.length - 1);
  for (let found; (found = pattern.exec(own)) !== null;) {
    const [, first, last = first, slot, arrow, id] = found;
    if (slot === undefined) {
      if (slots.length < SLOTS && Number(last) < SLOTS) {
        slots.push({ first: Number(first), last: Number(last) });
      }
    } else if (Number(slot) >= SLOTS) continue;
    else if (arrow === "<") importing.add(Number(slot));
    else sends.set(Number(slot), id!);
  }
  const [, , , primary = "-"] = own.split(" ", 4);
  return { known, slots, importing, sends, primary: primary === "-" ? null : primary };
}
