import type { NodeStatus } from "../mod.ts";
import { formatDuration } from "./top/numbers.ts";

/** Reports each loss of a connection once, however many attempts to reconnect fail, and its end. */
export class Losses {
  readonly #lost = new Map<string, number>();

  /** A line for each server that was lost, or is back, since the last call. */
  newIn(nodes: readonly NodeStatus[]): string[] {
    const lines: string[] = [];
    for (const { id, node, state, since, error } of nodes) {
      const name = id ?? node;
      const start = this.#lost.get(name);
      if (state === "reconnecting") {
        if (start !== undefined) continue;
        this.#lost.set(name, since);
        lines.push(`lost ${node}: ${error}; reconnecting`);
      } else if (start !== undefined && state !== "connecting") {
        this.#lost.delete(name);
        if (state === "closed") continue;
        lines.push(`${node} is back after ${formatDuration(since - start)}`);
      }
    }
    return lines;
  }
}
