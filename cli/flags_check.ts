import { missingOn, sinceWhen, unknownFlags } from "../events/flags.ts";
import type { NodeStatus } from "../mod.ts";
import { mergeFlags, requiredFlags } from "../events/mod.ts";
import { formatNodes } from "./format.ts";
import type { Selection } from "./selection.ts";

/** What the servers' flags let through of a selection. */
export interface FlagsVerdict {
  /** Why nothing at all can come of some of it, and what to run; null when something can. */
  readonly failure: string | null;
  /** Of the servers that send a part only, or may, why. */
  readonly warnings: readonly string[];
}

const TRY = "keywatch doctor --probe tries it";

/**
 * Compares the flags of the servers with the selection. `subscribe` checks the channels. Only here it is
 * known which of their events are selected.
 */
export function checkFlags(nodes: readonly NodeStatus[], selection: Selection): FlagsVerdict {
  const { needs } = selection;
  const warnings: string[] = [];
  for (const [flags, alike] of nodesByFlags(nodes, requiredFlags(...needs))) {
    const names = formatNodes(alike);
    const say = (one: string, many: string) => `${names} ${alike.length === 1 ? one : many}`;
    if (flags === "unknown") {
      warnings.push(`${say("does", "do")} not tell notify-keyspace-events; ${TRY}`);
      continue;
    }
    const setting = `notify-keyspace-events is "${flags}"`;
    const server = alike[0]!;
    const { missing, unknown, foreign, settable } = missingOn(server, flags, ...needs);
    if (missing !== "" && needs.some((need) => !missingOn(server, flags, need).canReceive)) {
      const { added, flags: merged } = mergeFlags(flags, settable);
      const why = [
        `${setting} and lacks "${missing}"`,
        ...(foreign === "" ? [] : [`"${foreign}" takes ${sinceWhen(foreign)}`]),
        ...(added === "" ? [] : [`run there: CONFIG SET notify-keyspace-events '${merged}'`]),
      ];
      return {
        failure: `Cannot receive ${selection} from ${names}: ${why.join("; ")}`,
        warnings: [],
      };
    }
    if (missing !== "") {
      warnings.push(`${say("sends", "send")} but a part of it: ${setting} and lacks "${missing}"`);
    }
    if (unknown !== "") {
      const hidden = `which hides whether "${unknown}" is set`;
      warnings.push(`${names} may not send all of it: ${setting}, ${hidden}; ${TRY}`);
    }
  }
  return { failure: null, warnings };
}

/** The nodes that were asked, by their flags, and by the needed letters that they do not know. */
function nodesByFlags(
  nodes: readonly NodeStatus[],
  needed: string,
): [flags: string, NodeStatus[]][] {
  const alike = new Map<string, [flags: string, NodeStatus[]]>();
  for (const node of nodes) {
    if (node.flags === null) continue;
    const kind = `${node.flags} ${unknownFlags(needed, node)}`;
    alike.set(kind, [node.flags, [...alike.get(kind)?.[1] ?? [], node]]);
  }
  return [...alike.values()];
}
