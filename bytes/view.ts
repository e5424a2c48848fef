// Views of the last two arrays, because one chunk contains hundreds of messages and texts, and a message
// that it cuts is in the decoder's buffer. A view keeps its bytes alive, so those of large arrays are
// not kept.

/** The longest array whose view is kept, in bytes. */
export const MOST_KEPT = 1_048_576;

let viewed: Uint8Array = /* @__PURE__ */ new Uint8Array(0);
let view: DataView = /* @__PURE__ */ new DataView(viewed.buffer);
let otherViewed: Uint8Array = viewed;
let otherView: DataView = view;

/** Returns a view of these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return bytes === viewed ? view : turn(bytes);
}

/** A view of fewer bytes costs more than it saves, unless it exists. */
const FEW = 256;

/** Returns a view of these bytes; `null` for few bytes that have none. */
export function usefulViewOf(bytes: Uint8Array): DataView | null {
  return bytes === viewed ? view : bytes.length < FEW ? null : turn(bytes);
}

function turn(bytes: Uint8Array): DataView {
  if (bytes.length > MOST_KEPT) return make(bytes);
  const turned = bytes === otherViewed ? otherView : make(bytes);
  otherViewed = viewed;
  otherView = view;
  viewed = bytes;
  view = turned;
  return turned;
}

function make(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
