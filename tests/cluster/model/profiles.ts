import { type Answer, Fields } from "./reply.ts";

/** A row of `CLUSTER MIGRATION STATUS` or `CLUSTER GETSLOTMIGRATIONS`. */
export interface ListedMove {
  readonly id: string;
  readonly slots: readonly number[];
  readonly source: { readonly id: string };
  readonly target: { readonly id: string };
  readonly direction: "in" | "out";
  state: "running" | "succeeded" | "failed";
  readonly created: number;
}

/** What distinguishes the servers, as measured. */
export interface Profile {
  readonly name: string;
  readonly software: "redis" | "valkey";
  readonly version: string;
  /** How an atomic migration is listed; null if the server has none. */
  readonly atomic: {
    readonly command: string;
    row(move: ListedMove, slots: string, startedAt: number): Answer;
  } | null;
  /** Whether an atomic migration copies all but strings by `RESTORE`. */
  readonly restoresCopies: boolean;
  readonly hasSlotStats: boolean;
  /** Whether a replica's fences break when it is promoted. */
  readonly breaksFencesAtPromotion: boolean;
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
  hasOverwritten: false,
};

/** Migrates slots also by `CLUSTER MIGRATION IMPORT`. */
export const REDIS_8_6: Profile = {
  name: "redis-8.6",
  software: "redis",
  version: "8.6.3",
  atomic: {
    command: "MIGRATION",
    row: (move, slots, startedAt) =>
      new Fields([
        ["id", move.id],
        ["slots", slots],
        ["source", move.source.id],
        ["dest", move.target.id],
        ["operation", move.direction === "in" ? "import" : "migrate"],
        [
          "state",
          { running: "send-bulk-and-stream", succeeded: "completed", failed: "failed" }[move.state],
        ],
        ["last_error", ""],
        ["retries", 0],
        ["create_time", startedAt],
        ["start_time", startedAt],
        ["end_time", move.state === "running" ? 0 : startedAt + 1],
        ["write_pause_ms", 0],
      ]),
  },
  restoresCopies: true,
  hasSlotStats: true,
  breaksFencesAtPromotion: true,
  hasOverwritten: true,
};

/** Migrates slots also by `CLUSTER MIGRATESLOTS`. */
export const VALKEY_9_1: Profile = {
  name: "valkey-9.1",
  software: "valkey",
  version: "9.1.2",
  atomic: {
    command: "GETSLOTMIGRATIONS",
    row: (move, slots, startedAt) =>
      new Fields([
        ["name", move.id],
        ["operation", move.direction === "in" ? "IMPORT" : "EXPORT"],
        ["slot_ranges", slots],
        ["target_node", move.target.id],
        ["source_node", move.source.id],
        ["create_time", Math.floor(startedAt / 1_000)],
        ["last_update_time", Math.floor(startedAt / 1_000)],
        ["last_ack_time", Math.floor(startedAt / 1_000)],
        ["state", { running: "snapshotting", succeeded: "success", failed: "failed" }[move.state]],
        ["message", ""],
        ["cow_size", 0],
        ["remaining_repl_size", 0],
      ]),
  },
  restoresCopies: false,
  hasSlotStats: true,
  breaksFencesAtPromotion: true,
  hasOverwritten: false,
};
