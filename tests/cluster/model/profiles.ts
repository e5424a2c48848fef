import { type Answer, Fields } from "./reply.ts";

/** How far an atomic migration has come. */
export type MovePhase = "copying" | "handing over" | "done" | "canceled" | "failed";

/** A row of `CLUSTER MIGRATION STATUS` or `CLUSTER GETSLOTMIGRATIONS`. */
export interface ListedMove {
  readonly id: string;
  readonly slots: readonly number[];
  readonly source: { readonly id: string };
  readonly target: { readonly id: string };
  readonly direction: "in" | "out";
  phase: MovePhase;
  /** In ms since the epoch, as `ended`, which is null until then. */
  readonly created: number;
  ended: number | null;
}

/** What a server says of a phase: the state's name, and why it is over. */
type States = Readonly<
  Record<
    ListedMove["direction"],
    Readonly<Record<MovePhase, readonly [state: string, why?: string]>>
  >
>;

/** How a server migrates atomically. */
export interface AtomicMigration {
  /** The subcommand that lists migrations, and the words that have to follow it. */
  readonly command: string;
  readonly words: readonly string[];
  /** Which side begins, and is listed first; it is also the one that is asked to cancel. */
  readonly begins: ListedMove["direction"];
  row(move: ListedMove, slots: string): Answer;
}

/** What distinguishes the servers, as measured. */
export interface Profile {
  readonly name: string;
  readonly software: "redis" | "valkey";
  readonly version: string;
  /** Null if the server has none. */
  readonly atomic: AtomicMigration | null;
  /** Whether an atomic migration copies all but strings by `RESTORE`. */
  readonly restoresCopies: boolean;
  readonly hasSlotStats: boolean;
  /** Whether a replica's fences break when it is promoted. */
  readonly breaksFencesAtPromotion: boolean;
  /** Whether `SETSLOT` reaches the replicas, which then list a migration by key, and go on with it. */
  readonly replicatesSetSlot: boolean;
  /**
   * When replicas emit `del` for the keys of a slot that their primary has lost: after an atomic
   * migration too, only if the slot left in another way, or never.
   */
  readonly droppedAtReplicas: "always" | "by key" | "never";
  /** How a refusal calls the user. */
  readonly user: string;
  /** Whether a key that is replaced emits `overwritten` where that is switched on. */
  readonly hasOverwritten: boolean;
}

/** Migrates slots key by key alone. */
export const REDIS_7_0: Profile = {
  name: "redis-7.0",
  software: "redis",
  version: "7.0.15",
  atomic: null,
  restoresCopies: false,
  hasSlotStats: false,
  breaksFencesAtPromotion: false,
  replicatesSetSlot: false,
  droppedAtReplicas: "never",
  user: "this user",
  hasOverwritten: false,
};

/** Migrates slots key by key alone. */
export const REDIS_8_0: Profile = {
  ...REDIS_7_0,
  name: "redis-8.0",
  version: "8.0.2",
  droppedAtReplicas: "by key",
  user: "User default",
  breaksFencesAtPromotion: true,
};

const REDIS_STATES: States = {
  in: {
    "copying": ["accumulate-buffer"],
    "handing over": ["ready-to-stream"],
    "done": ["completed"],
    "canceled": ["canceled", "Cancelled due to user request (state: accumulate-buffer)"],
    "failed": ["failed", "Main channel client is disconnected"],
  },
  out: {
    "copying": ["send-bulk-and-stream"],
    "handing over": ["stream-eof"],
    "done": ["completed"],
    "canceled": ["failed", "Main and RDB channel clients are disconnected."],
    "failed": ["failed", "Main and RDB channel clients are disconnected."],
  },
};

/** Migrates slots also by `CLUSTER MIGRATION IMPORT`. */
export const REDIS_8_6: Profile = {
  ...REDIS_8_0,
  name: "redis-8.6",
  version: "8.6.3",
  atomic: {
    command: "MIGRATION",
    words: ["STATUS", "ALL"],
    begins: "in",
    row(move, slots) {
      const { id, source, target, direction, phase, created, ended } = move;
      const [state, why = ""] = REDIS_STATES[direction][phase];
      return new Fields([
        ["id", id],
        ["slots", slots],
        ["source", source.id],
        ["dest", target.id],
        ["operation", direction === "in" ? "import" : "migrate"],
        ["state", state],
        ["last_error", why],
        ["retries", 0],
        ["create_time", created],
        ["start_time", created],
        ["end_time", state === "failed" ? -1 : ended ?? -1],
        ["write_pause_ms", direction === "out" && phase === "done" ? 1 : 0],
      ]);
    },
  },
  restoresCopies: true,
  hasSlotStats: true,
  hasOverwritten: true,
};

/** What a side of a migration says if the other one ended it. */
function seeOther(side: "source" | "target"): string {
  return `Connection lost to ${side}. Check CLUSTER GETSLOTMIGRATIONS on the ${side} node for more ` +
    "information.";
}

const VALKEY_STATES: States = {
  in: {
    "copying": ["receiving-snapshot"],
    "handing over": ["failover-requested"],
    "done": ["success"],
    "canceled": ["failed", seeOther("source")],
    "failed": ["failed", seeOther("source")],
  },
  out: {
    "copying": ["snapshotting"],
    "handing over": ["failover-paused"],
    "done": ["success"],
    "canceled": ["cancelled"],
    "failed": ["failed", seeOther("target")],
  },
};

/** Migrates slots also by `CLUSTER MIGRATESLOTS`. */
export const VALKEY_9_1: Profile = {
  name: "valkey-9.1",
  software: "valkey",
  version: "9.1.2",
  atomic: {
    command: "GETSLOTMIGRATIONS",
    words: [],
    begins: "out",
    row(move, slots) {
      const { id, source, target, direction, phase, created } = move;
      const [state, why = ""] = VALKEY_STATES[direction][phase];
      const seconds = Math.floor(created / 1_000);
      return new Fields([
        ["name", id],
        ["operation", direction === "in" ? "IMPORT" : "EXPORT"],
        ["slot_ranges", slots],
        ["target_node", target.id],
        ["source_node", source.id],
        ["create_time", seconds],
        ["last_update_time", seconds],
        ["last_ack_time", seconds],
        ["state", state],
        ["message", why],
        ["cow_size", 0],
        ["remaining_repl_size", 0],
      ]);
    },
  },
  restoresCopies: false,
  hasSlotStats: true,
  breaksFencesAtPromotion: true,
  replicatesSetSlot: true,
  droppedAtReplicas: "always",
  user: "User default",
  hasOverwritten: false,
};

/** Every server, the oldest first. */
export const EVERY_PROFILE: readonly Profile[] = [REDIS_7_0, REDIS_8_0, REDIS_8_6, VALKEY_9_1];

/** Those that can migrate atomically. */
export const ATOMIC_PROFILES: readonly Profile[] = [REDIS_8_6, VALKEY_9_1];
