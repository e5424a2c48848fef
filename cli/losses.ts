import type { NodeStatus } from "../mod.ts";

/** Tells of each loss of a connection once, however many attempts to come back fail. */
export class Losses {
  readonly #lost = new Set<string>();

  /** A line for each server that was lost since the last call. */
  newIn(nodes: readonly NodeStatus[]): string[] {
    const lines: string[] = [];
    for (const { id, node, state, error } of nodes) {
      const name = id ?? node;
      if (state !== "reconnecting") this.#lost.delete(name);
      else if (!this.#lost.has(name)) {
        this.#lost.add(name);
        lines.push(`lost ${node}: ${error}; coming back`);
      }
    }
    return lines;
  }
}
