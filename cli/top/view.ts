import type { Gap, NodeStatus, SlotSpan } from "../../mod.ts";

/** A row of one of the two tables. */
export interface TopRow {
  /** The event, or the prefix of the keys. */
  readonly name: string;
  /** How many a second. */
  readonly rate: number;
  /** How many in all. */
  readonly total: number;
  /** Of a row of keys, what they begin with, if they can be distinguished further. */
  readonly prefix?: string;
}

/** A node, and how busy it is. */
export interface NodeView extends
  Pick<
    NodeStatus,
    "node" | "state" | "since" | "error" | "software" | "version" | "protocol" | "flags" | "slots"
  > {
  /** How many notifications a second. */
  readonly rate: number;
}

/** What `top` shows at one moment. */
export interface TopView {
  /** What is watched. */
  readonly what: string;
  /** When this is, in ms since the epoch. */
  readonly now: number;
  /** For how long it has been watched, in ms. */
  readonly elapsed: number;
  /** How many notifications there were in all. */
  readonly total: number;
  /** How many a second. */
  readonly rate: number;
  /** Of which time all rates are: lately, or the whole. */
  readonly rateName: "now" | "mean";
  /** How many a second in the last minute. */
  readonly mean: number;
  /** How many in the busiest second of it. */
  readonly peak: number;
  /** How many in each second of it, the oldest first. */
  readonly seconds: readonly number[];
  /** The events, the busiest first. */
  readonly events: readonly TopRow[];
  /** The prefixes of keys, the busiest first. */
  readonly prefixes: readonly TopRow[];
  /** The nodes. */
  readonly nodes: readonly NodeView[];
  /** In a cluster the slots that nobody watches. */
  readonly uncovered: readonly SlotSpan[];
  /** The last gaps, the latest first. */
  readonly gaps: readonly Gap[];
  /** How many there were in all. */
  readonly gapCount: number;
  /** How many notifications were dropped because this program was too slow. */
  readonly dropped: number;
  /** The last news, the latest first. */
  readonly notes: readonly string[];
}

/** How large the place to draw in is, in characters. */
export interface Size {
  /** Its width. */
  readonly columns: number;
  /** Its height. */
  readonly rows: number;
}
