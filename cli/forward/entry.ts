import { formatSlots } from "../../cluster/discovery/mod.ts";
import type { CommandArgument } from "../../resp/mod.ts";
import type { Item } from "./sink.ts";

/** The fields of the entry of a stream, names and values in turn. Keys are written to the byte. */
export function fieldsOf(item: Item): CommandArgument[] {
  if (item.kind === "gap") {
    const { reason, node, slots, from, to, dropped } = item;
    return fields({
      kind: "gap",
      reason,
      node,
      slots: slots === undefined ? undefined : formatSlots(slots),
      from,
      to,
      dropped,
    });
  }
  if (item.kind === "flush") return fields({ kind: "flush", node: item.node, at: item.at });
  const { eventType, keyBytes, database, timestamp, node, migration, subkeys } = item;
  return fields({
    kind: "event",
    event: eventType,
    key: keyBytes,
    db: database,
    at: timestamp,
    node,
    subkeys: subkeys.length === 0 ? undefined : JSON.stringify(subkeys),
    migration: migration === undefined ? undefined : String(migration),
  });
}

function fields(values: Record<string, CommandArgument | undefined>): CommandArgument[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value]
  );
}
