import type { KeyNotification } from "../parse/mod.ts";
import { hashSlot, hashText } from "./discovery/slot.ts";

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
