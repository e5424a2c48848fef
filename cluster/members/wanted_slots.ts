import type { KeyNotification } from "../../parse/mod.ts";
import { parseInfo } from "../../pubsub/info.ts";
import type { ServerChannel } from "../../pubsub/registry.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";
import { hashSlot, hashText } from "../discovery/slot.ts";

const decoder = new TextDecoder();
const COLON = 0x3a;
const LINE_FEED = 0x0a;

/**
 * The slots whose events channels can bring.
 *
 * @returns null if they can bring events of any slot
 */
export function slotsOfChannels(channels: Iterable<ServerChannel>): Set<number> | null {
  const slots = new Set<number>();
  for (const { bytes, isPattern } of channels) {
    if (isPattern) return null;
    const end = bytes.indexOf(COLON) + 1;
    const name = /^__(sub)?keyspace(item)?@\d+__:$/.exec(decoder.decode(bytes.subarray(0, end)));
    if (name === null) return null;
    const keyEnd = name[2] === undefined ? bytes.length : bytes.indexOf(LINE_FEED, end);
    slots.add(hashSlot(bytes.subarray(end, keyEnd < 0 ? bytes.length : keyEnd)));
  }
  return slots;
}

/** Whether whoever gets a `del` by one of the channels gets a `restore` of the same key as well. */
export function hearRestores(channels: Iterable<ServerChannel>): boolean {
  const deletions = new Set<string>();
  const restores = new Set<string>();
  for (const { bytes } of channels) {
    const [, database, event] = /^__keyevent@(.*)__:(.*)$/s.exec(decoder.decode(bytes)) ?? [];
    if (database === undefined) continue;
    if (event === "*") return true;
    (event === "restore" ? restores : deletions).add(database);
  }
  return [...deletions].every((database) => restores.has(database) || restores.has("*"));
}

/**
 * The hash slot of a notification's whole key.
 *
 * @param keyPrefix what its key was stripped of
 */
export function slotOf(notification: KeyNotification, keyPrefix: Uint8Array | null): number {
  // Where text may stand for other bytes, the bytes count.
  return (keyPrefix === null ? hashText(notification.key) : null) ??
    hashSlot(Uint8Array.of(...keyPrefix ?? [], ...notification.keyBytes));
}

/** The number of nodes that a node knows, by its reply to `CLUSTER INFO`; null if it does not say. */
export function readKnownNodes(reply: Reply): number | null {
  if (reply instanceof ServerError) return null;
  const known = parseInfo(reply, ["cluster_known_nodes"]).get("cluster_known_nodes");
  return known !== undefined && /^\d+$/.test(known) ? Number(known) : null;
}
