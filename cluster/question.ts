import type { NodeView, SlotMove } from "./node_view.ts";
import type { CommandStats } from "./server_info.ts";
import type { SlotRange } from "./discovery/slot_range.ts";

/**
 * What all questions to a node have in common.
 *
 * Those to one node are to be put in the order in which they come, so that it answers them in that
 * order. A question is to be answered when the answer **and everything the node sent before it** have been
 * handed in: at once where it comes on the connection of the notifications, in RESP3; where it comes
 * on another, in RESP2, after a `PONG` to a `PING` that was sent on the first once it came.
 *
 * @example
 * ```ts
 * import type { NodeQuestion } from "@keywatch/keywatch/cluster";
 *
 * function giveUp(questions: NodeQuestion[], lost: string): void {
 *   for (const question of questions) if (question.node === lost) question.fail();
 * }
 * ```
 */
export interface NodeQuestion {
  /** The id of the node to ask. */
  readonly node: string;
  /**
   * To be called when it is really sent, where that is later than the question: the answer then
   * tells of more.
   */
  sent(): void;
  /** It cannot be asked, or was not answered. What hangs on it is delivered as uncertain. */
  fail(): void;
}

/**
 * Which slots are the node's own, and which does it take in or give away?
 *
 * @example
 * ```ts
 * import { parseNodes, type ViewQuestion } from "@keywatch/keywatch/cluster";
 * import type { TcpAddress } from "@keywatch/keywatch/pubsub";
 *
 * function onNodes(question: ViewQuestion, answer: string, asked: TcpAddress): void {
 *   question.answer(parseNodes(answer, asked));
 * }
 * ```
 */
export interface ViewQuestion extends NodeQuestion {
  /** Which question it is. */
  readonly kind: "view";
  /** The slots in question lie in here. */
  readonly slots: SlotRange;
  /**
   * Whether {@linkcode NodeView.importing} is wanted, which only `CLUSTER NODES` tells. Else
   * `CLUSTER SLOT-STATS` and the moves are enough, which cost a large cluster less.
   */
  readonly needsMarkers: boolean;
  /**
   * Hands the answer in.
   *
   * @param view what the node says
   * @param position the {@linkcode NodeStream.position} when the answer to the question of slots was
   * read, if that is known exactly: taken in the call that hands the reply over, not after an
   * `await`. The answer then tells of what came while it was on its way.
   */
  answer(view: NodeView, position?: number): void;
}

/**
 * Which slots has the node moved as a whole, and what has it run so far? Asked once, when its stream
 * begins.
 *
 * @example
 * ```ts
 * import { type MovesQuestion, parseSlotMoves, readCommandStats } from "@keywatch/keywatch/cluster";
 * import type { Reply } from "@keywatch/keywatch/resp";
 *
 * function onReplies(question: MovesQuestion, moves: Reply, stats: Reply): void {
 *   question.answer(parseSlotMoves(moves), readCommandStats(stats));
 * }
 * ```
 */
export interface MovesQuestion extends NodeQuestion {
  /** Which question it is. */
  readonly kind: "moves";
  /**
   * Hands the answer in.
   *
   * @param moves what {@linkcode parseSlotMoves} made of it
   * @param stats what {@linkcode readCommandStats} made of `INFO commandstats`; may be left out where
   * slots cannot move as a whole
   */
  answer(moves: readonly SlotMove[] | null, stats?: CommandStats): void;
}

/**
 * Which keys are in these slots? `CLUSTER GETKEYSINSLOT slot count` for each, in database 0. Only keys
 * that a move would certainly copy count: on Valkey none where {@linkcode mayLapse}, asked for just
 * before, says that their time may have run out.
 *
 * @example
 * ```ts
 * import type { KeysQuestion } from "@keywatch/keywatch/cluster";
 * import { encodePipeline } from "@keywatch/keywatch/resp";
 *
 * function commandsFor({ slots, count }: KeysQuestion): Uint8Array {
 *   return encodePipeline([
 *     ["INFO", "keyspace"],
 *     ...slots.map((slot) => ["CLUSTER", "GETKEYSINSLOT", slot, count] as const),
 *   ]);
 * }
 * ```
 */
export interface KeysQuestion extends NodeQuestion {
  /** Which question it is. */
  readonly kind: "keys";
  /** The slots, few. */
  readonly slots: readonly number[];
  /** How many keys of each, at most. */
  readonly count: number;
  /** Hands in the keys of each slot; with a key prefix, only those that have it, without it. */
  answer(keys: ReadonlyMap<number, readonly Uint8Array[]>): void;
}

/**
 * Has everything come that the node sent before? A `PING` on the notifications' own connection.
 *
 * @example
 * ```ts
 * import type { PingQuestion } from "@keywatch/keywatch/cluster";
 *
 * function onReply(question: PingQuestion, reply: unknown): void {
 *   if (reply === "PONG") question.answer();
 *   else question.fail();
 * }
 * ```
 */
export interface PingQuestion extends NodeQuestion {
  /** Which question it is. */
  readonly kind: "ping";
  /** The `PONG` has come. */
  answer(): void;
}

/**
 * Who owns what? Some node owns other slots than the topology says; to be asked anew.
 *
 * @example
 * ```ts
 * import type { Ownership, Topology, TopologyQuestion } from "@keywatch/keywatch/cluster";
 *
 * declare function readTopology(): Promise<Topology>;
 *
 * async function look(_: TopologyQuestion, ownership: Ownership<string>): Promise<void> {
 *   ownership.setTopology(await readTopology());
 * }
 * ```
 */
export interface TopologyQuestion {
  /** Which question it is. */
  readonly kind: "topology";
}

/**
 * A question that has to be put to the cluster before some events can be told from phantoms.
 *
 * @example
 * ```ts
 * import type { Question } from "@keywatch/keywatch/cluster";
 *
 * function describe(question: Question): string {
 *   return question.kind === "topology" ? "who owns what" : `${question.kind} of ${question.node}`;
 * }
 * ```
 */
export type Question =
  | ViewQuestion
  | MovesQuestion
  | KeysQuestion
  | PingQuestion
  | TopologyQuestion;
