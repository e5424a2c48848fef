import { decodeText } from "../bytes/text.ts";
import { Attributed, type Reply, RespMap, RespSet, VerbatimString } from "./types.ts";

/**
 * The same reply with text in the place of bytes, to its last leaf.
 *
 * @param reply A reply decoded as bytes; it is not changed.
 * @returns A reply as the decoder makes it with `strings: "text"`.
 *
 * @example
 * ```ts
 * import { replyToText } from "@keywatch/keywatch/resp";
 *
 * replyToText([new Uint8Array([111, 107]), 1]); // ["ok", 1]
 * ```
 */
export function replyToText(reply: Reply): Reply {
  if (reply instanceof Uint8Array) return decodeText(reply);
  if (typeof reply !== "object" || reply === null) return reply;
  const root = [reply];
  itemsToText(root);
  return root[0]!;
}

/** Replaces in place. An explicit stack, because replies may nest deeper than calls. */
function itemsToText(root: Reply[]): void {
  const todo: Reply[][] = [root];
  const attributed: { items: Reply[]; index: number; attributes: RespMap; reply: Reply[] }[] = [];
  const copyOf = (items: Reply[]): Reply[] => {
    const copy = items.slice();
    todo.push(copy);
    return copy;
  };
  for (let items = todo.pop(); items !== undefined; items = todo.pop()) {
    for (let index = 0; index < items.length; index++) {
      const item = items[index]!;
      if (item instanceof Uint8Array) {
        items[index] = decodeText(item);
      } else if (Array.isArray(item)) {
        items[index] = copyOf(item);
      } else if (item instanceof RespMap) {
        items[index] = new RespMap(copyOf(item.items));
      } else if (item instanceof RespSet) {
        items[index] = new RespSet(copyOf(item.items));
      } else if (item instanceof VerbatimString && typeof item.value !== "string") {
        items[index] = new VerbatimString(item.format, decodeText(item.value));
      } else if (item instanceof Attributed) {
        const attributes = new RespMap(copyOf(item.attributes.items));
        attributed.push({ items, index, attributes, reply: copyOf([item.reply]) });
      }
    }
  }
  // Inner ones were found after outer ones, so going back each finds its reply made.
  for (const { items, index, attributes, reply } of attributed.reverse()) {
    items[index] = new Attributed(attributes, reply[0]!);
  }
}
