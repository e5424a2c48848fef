import { isBusy } from "../pubsub/busy.ts";
import type { Connection } from "../pubsub/connection.ts";
import { ClosedError } from "../pubsub/errors.ts";
import { type CommandArgument, type Reply, ServerError } from "../resp/mod.ts";
import {
  type NodeView,
  parseNodes,
  parseSlotMoves,
  parseSlotStats,
  type SlotMove,
} from "./node_view.ts";
import type { KeysQuestion, MovesQuestion, Question, ViewQuestion } from "./question.ts";
import { listOf } from "./discovery/reply_fields.ts";
import { mayLapse, readCommandStats } from "./server_info.ts";

type Command = readonly [name: string, ...CommandArgument[]];
type AnyNodeQuestion = Exclude<Question, { readonly kind: "topology" }>;

/** How long a connection of its own for questions lasts while nothing is asked or answered, in ms. */
const IDLE = 5_000;

/** How soon a node is asked again that loads its data or runs a script, in ms. */
const BUSY_POLL = 50;

const PING: Command = ["PING"];
const COMMAND_STATS: Command = ["INFO", "commandstats"];
const KEYSPACE: Command = ["INFO", "keyspace"];

/** Tell moves of slots as a whole: Redis 8.4 and later, Valkey 9.0 and later. */
const MOVES: readonly Command[] = [
  ["CLUSTER", "MIGRATION", "STATUS", "ALL"],
  ["CLUSTER", "GETSLOTMIGRATIONS"],
];

/** What is needed to ask a node. */
export interface InquirerOptions {
  /** The connection on which its notifications come. */
  readonly connection: Connection;
  /** What is spoken there. */
  readonly protocol: 2 | 3;
  /** Opens another connection to the same node, where it takes no questions on that one. */
  readonly openBeside: () => Promise<Connection>;
  /** What the keys of notifications are stripped of. */
  readonly keyPrefix: Uint8Array | null;
  /** How many of its events have been handed in. */
  readonly position: () => number;
  /** Called after each answer, and after each question that got none. */
  readonly onAnswer: () => void;
}

/**
 * Puts the questions of {@linkcode Ownership} to one node, as long as one connection to it lasts.
 *
 * In RESP3 they go by the connection of the notifications, so that the answer stands in their order.
 * In RESP2, where that one takes none but `PING`, they go by another, opened when it is needed, and
 * kept where slots can move as a whole; once the answer has come, a `PING` on the first tells when
 * everything is there that was sent before.
 */
export class Inquirer {
  readonly #options: InquirerOptions;
  /** What the server may be asked about moves. */
  #moves: readonly Command[] = MOVES;
  /** Whether it has told of moves as a whole, which only servers do that can move slots so. */
  #tellsMoves = false;
  /** Whether it may be asked about a few slots. */
  #hasSlotStats = true;
  #beside: Connection | null = null;
  /** Those that wait until that is open; null while it is not being opened. */
  #waiting: Exclude<AnyNodeQuestion, { readonly kind: "ping" }>[] | null = null;
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** Questions that are to be put again, each with its timer. */
  readonly #postponed = new Map<AnyNodeQuestion, ReturnType<typeof setTimeout>>();
  #isClosed = false;

  constructor(options: InquirerOptions) {
    this.#options = options;
  }

  /** Puts a question. */
  put(question: AnyNodeQuestion): void {
    const { connection, protocol } = this.#options;
    if (this.#isClosed) this.#fail(question);
    else if (question.kind === "ping") {
      question.sent();
      this.#ask(connection, [PING], question, () => {
        question.answer();
        this.#options.onAnswer();
      });
    } else if (protocol === 3) this.#send(connection, question);
    else if (this.#beside?.over === null) this.#send(this.#beside, question);
    else if (this.#waiting !== null) this.#waiting.push(question);
    else {
      this.#waiting = [question];
      this.#open();
    }
  }

  /** Asks nothing more, and ends the connection it has opened. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    this.#beside?.close(new ClosedError("The connection for questions served its purpose"));
    for (const question of this.#waiting?.splice(0) ?? []) this.#fail(question);
    for (const [question, timer] of this.#postponed) {
      clearTimeout(timer);
      this.#fail(question);
    }
    this.#postponed.clear();
  }

  async #open(): Promise<void> {
    // What is wrong with the node, the connection of the notifications finds out too.
    const opened = await this.#options.openBeside().catch(() => null);
    if (this.#isClosed) return opened?.close(new ClosedError("Nothing is to be asked any more"));
    const waiting = this.#waiting!;
    this.#waiting = null;
    this.#beside = opened;
    for (const question of waiting) {
      if (opened === null) this.#fail(question);
      else this.#send(opened, question);
    }
  }

  #send(
    connection: Connection,
    question: Exclude<AnyNodeQuestion, { readonly kind: "ping" }>,
  ): void {
    question.sent();
    if (connection !== this.#options.connection) this.#awaitIdle(connection);
    if (question.kind === "view") this.#askView(connection, question);
    else if (question.kind === "moves") this.#askMoves(connection, question);
    else this.#askKeys(connection, question);
  }

  #askMoves(connection: Connection, question: MovesQuestion): void {
    const commands = this.#moves;
    // Whether moves are told of is known only by the answer, and a question more later would be answered
    // out of turn: so the counts are asked for in any case.
    this.#ask(connection, [...commands, COMMAND_STATS], question, (replies) => {
      const moves = this.#readMoves(commands, replies);
      const stats = readCommandStats(replies.at(-1)!);
      this.#inOrder(connection, question, () => question.answer(moves, stats));
    });
  }

  #askView(connection: Connection, question: ViewQuestion): void {
    const { slots, needsMarkers } = question;
    const isGlance = !needsMarkers && this.#hasSlotStats;
    const moves = this.#moves;
    const stats = this.#tellsMoves && !isGlance ? [COMMAND_STATS] : [];
    let view: NodeView | null = null;
    let position = 0;
    // Moves after slots: a slot that comes in between is then known to have come.
    const commands: Command[] = [
      isGlance
        ? ["CLUSTER", "SLOT-STATS", "SLOTSRANGE", slots.first, slots.last]
        : ["CLUSTER", "NODES"],
      ...moves,
      ...stats,
    ];
    this.#ask(connection, commands, question, ([, ...replies]) => {
      if (view !== null) {
        const told = this.#readMoves(moves, replies);
        const whole = {
          ...view,
          ...(told === null ? {} : { moves: told }),
          ...(stats.length === 0 ? {} : {
            copiesLapsed: this.#copiesLapsed,
            stats: readCommandStats(replies.at(-1)!),
          }),
        };
        this.#inOrder(connection, question, (inOrder) => {
          question.answer(whole, inOrder ? position : undefined);
        });
      } else if (isGlance) {
        this.#hasSlotStats = false;
        this.#send(connection, question);
      } else this.#fail(question);
    }, (reply) => {
      position = this.#options.position();
      view = isGlance ? parseSlotStats(reply, slots) : readNodes(reply);
    });
  }

  /** It becomes a replica, and goes on to tell what its new primary does: so its word is waited for. */
  #postpone(question: AnyNodeQuestion): void {
    if (this.#isClosed) return this.#fail(question);
    const again = () => {
      this.#postponed.delete(question);
      this.put(question);
    };
    this.#postponed.set(question, setTimeout(again, BUSY_POLL));
  }

  #askKeys(connection: Connection, question: KeysQuestion): void {
    const { slots, count } = question;
    const commands: Command[] = [
      // First: a key that has no time to live then, and is there afterwards, has not lapsed.
      KEYSPACE,
      ...slots.map((slot): Command => ["CLUSTER", "GETKEYSINSLOT", slot, count]),
    ];
    this.#ask(connection, commands, question, ([keyspace, ...replies]) => {
      const lists = replies.map((reply) => listOf<Reply>(reply));
      if (lists.includes(null)) return this.#fail(question);
      const isCertain = this.#copiesLapsed || !mayLapse(keyspace!);
      const keys = new Map((isCertain ? slots : []).map((slot, index) => [
        slot,
        lists[index]!.flatMap((key) => this.#withoutPrefix(key)),
      ]));
      this.#inOrder(connection, question, () => question.answer(keys));
    });
  }

  /** Hands an answer in once everything is there that the node sent before it. */
  #inOrder(
    connection: Connection,
    question: AnyNodeQuestion,
    answer: (isInOrder: boolean) => void,
  ): void {
    const first = this.#options.connection;
    const handIn = () => {
      answer(connection === first);
      this.#options.onAnswer();
    };
    if (connection === first) return handIn();
    // Opening it takes longer than small slots take to move as a whole. That a node hangs, the
    // connection of the notifications finds out too.
    if (this.#tellsMoves) clearTimeout(this.#idle);
    else this.#awaitIdle(connection);
    this.#ask(first, [PING], question, handIn);
  }

  /** Also the end of a connection on which no answer comes. */
  #awaitIdle(connection: Connection): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      connection.close(new ClosedError("The connection for questions is not needed now"));
    }, IDLE);
  }

  /**
   * Sends commands, and takes their replies, errors among them, when the last has come. A question
   * that the server was too busy to answer is put again later.
   *
   * @param onFirst takes the first reply at its place among the messages
   */
  #ask(
    connection: Connection,
    commands: readonly Command[],
    question: AnyNodeQuestion,
    onReplies: (replies: readonly Reply[]) => void,
    onFirst: (reply: Reply) => void = () => {},
  ): void {
    const replies: Reply[] = [];
    let isOver = false;
    const answer = (reply: Reply) => {
      if (replies.push(reply) === 1) onFirst(reply);
      if (replies.length < commands.length) return;
      if (commands[0] !== PING && replies.some(isBusy)) this.#postpone(question);
      else onReplies(replies);
    };
    const fail = (error: Error) => {
      if (error instanceof ServerError) return answer(error);
      if (!isOver) this.#fail(question);
      isOver = true;
    };
    for (const command of commands) connection.query(command, { answer, fail });
  }

  #fail(question: AnyNodeQuestion): void {
    question.fail();
    this.#options.onAnswer();
  }

  /** Redis copies keys whose time has run out as any other (8.6.3); of Valkey that is not certain. */
  get #copiesLapsed(): boolean {
    return this.#tellsMoves && this.#moves.every(([, subcommand]) => subcommand === "MIGRATION");
  }

  /** What the server told of moves. It is not asked again what it does not know. */
  #readMoves(commands: readonly Command[], replies: readonly Reply[]): SlotMove[] | null {
    this.#moves = commands.filter((_, index) => !isUnknown(replies[index]!));
    const told = commands.findIndex((_, index) => !isUnknown(replies[index]!));
    this.#tellsMoves = told >= 0;
    return told < 0 ? [] : parseSlotMoves(replies[told]!);
  }

  #withoutPrefix(key: Reply): Uint8Array[] {
    if (!(key instanceof Uint8Array)) return [];
    const prefix = this.#options.keyPrefix;
    if (prefix === null) return [key];
    return prefix.every((byte, index) => key[index] === byte) ? [key.subarray(prefix.length)] : [];
  }
}

function readNodes(reply: Reply): NodeView | null {
  try {
    return parseNodes(reply, { path: "" });
  } catch {
    return null;
  }
}

function isUnknown(reply: Reply): boolean {
  return reply instanceof ServerError && /unknown/i.test(reply.message);
}
