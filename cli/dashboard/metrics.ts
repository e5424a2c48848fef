import { countSlots } from "../../cluster/discovery/mod.ts";
import type { GapReason, Health, Status } from "../../mod.ts";
import { type Kind, KINDS } from "./feed.ts";

/** The media type of {@linkcode formatMetrics}. */
export const METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** What is counted since the start. */
export class Totals {
  readonly #events = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]));
  readonly #gaps = new Map<GapReason, number>();
  /** Flushes. */
  flushes = 0;

  /** Counts an event. */
  event(kind: Kind): void {
    this.#events.set(kind, this.#events.get(kind)! + 1);
  }

  /** Counts a gap. */
  gap(reason: GapReason): void {
    this.#gaps.set(reason, (this.#gaps.get(reason) ?? 0) + 1);
  }

  /** Events by kind. */
  get events(): ReadonlyMap<Kind, number> {
    return this.#events;
  }

  /** Gaps by reason. */
  get gaps(): ReadonlyMap<GapReason, number> {
    return this.#gaps;
  }
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** All figures in the form of OpenMetrics, which Prometheus reads. */
export function formatMetrics(totals: Totals, status: Status, health: Health): string {
  const lines: string[] = [];
  const add = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    samples: readonly Sample[],
  ) => {
    lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${help}`);
    for (const [labels, value] of samples) {
      const text = Object.entries(labels).map(([key, label]) => `${key}="${escape(label)}"`).join();
      lines.push(
        `${name}${type === "counter" ? "_total" : ""}${text === "" ? "" : `{${text}}`} ${value}`,
      );
    }
  };
  const { nodes, slots } = status;
  const by = (label: string, map: ReadonlyMap<string, number>) =>
    [...map].map(([key, value]): Sample => [{ [label]: key }, value]);
  add("keywatch_up", "gauge", "1 if every server is watched.", [[{}, health.ok ? 1 : 0]]);
  add("keywatch_events", "counter", "Events, by kind.", by("kind", totals.events));
  add("keywatch_gaps", "counter", "Gaps, by reason.", by("reason", totals.gaps));
  add("keywatch_flushes", "counter", "Flushes.", [[{}, totals.flushes]]);
  add("keywatch_dropped", "counter", "Notifications dropped because a queue was full.", [
    [{}, status.dropped],
  ]);
  add("keywatch_queued", "gauge", "Notifications that wait.", [[{}, status.queued]]);
  const each = (value: (node: Status["nodes"][number]) => number) =>
    nodes.map((node): Sample => [{ node: node.node }, value(node)]);
  add(
    "keywatch_node_ready",
    "gauge",
    "1 if the node is watched.",
    each(({ state }) => {
      return state === "ready" ? 1 : 0;
    }),
  );
  add(
    "keywatch_node_messages",
    "counter",
    "Messages of the node.",
    each(({ messages }) => messages),
  );
  add("keywatch_node_bytes", "counter", "Bytes of the node.", each(({ bytes }) => bytes));
  if (slots !== undefined) {
    add("keywatch_slots_covered", "gauge", "Hash slots that are watched.", [
      [{}, countSlots(slots.covered)],
    ]);
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

function escape(label: string): string {
  return label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
