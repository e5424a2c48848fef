import { mergeFlags, missingFlags, type NodeStatus } from "../mod.ts";
import type { Selection } from "./selection.ts";

/** What the servers' flags let through of a selection. */
export interface FlagsVerdict {
  /** Why nothing at all can come of some of it, and what to run; null when something can. */
  readonly failure: string | null;
  /** Of each server that sends a part only, which letters it lacks. */
  readonly warnings: readonly string[];
}

/**
 * Lays the flags that the servers told against what was asked for. What `subscribe` checks are the
 * channels; which of their events are wanted is known here alone.
 */
export function checkFlags(nodes: readonly NodeStatus[], selection: Selection): FlagsVerdict {
  const warnings: string[] = [];
  for (const { node, flags } of nodes) {
    if (flags === null || flags === "unknown") continue;
    const { missing } = missingFlags(flags, ...selection.needs);
    if (missing === "") continue;
    const lack = `notify-keyspace-events is "${flags}" and lacks "${missing}"`;
    if (selection.needs.some((need) => !missingFlags(flags, need).canReceive)) {
      const command = `CONFIG SET notify-keyspace-events '${mergeFlags(flags, missing).flags}'`;
      return {
        failure: `Cannot receive ${selection} from ${node}: its ${lack}; run there: ${command}`,
        warnings: [],
      };
    }
    warnings.push(`${node} sends but a part of it: its ${lack}`);
  }
  return { failure: null, warnings };
}
