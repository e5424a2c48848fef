// The first byte of each part of RESP is its type.

export const SIMPLE_STRING = 43; // +
export const SIMPLE_ERROR = 45; // -
export const INTEGER = 58; // :
export const BULK_STRING = 36; // $
export const ARRAY = 42; // *
export const NULL = 95; // _
export const BOOLEAN = 35; // #
export const DOUBLE = 44; // ,
export const BIG_NUMBER = 40; // (
export const BULK_ERROR = 33; // !
export const VERBATIM_STRING = 61; // =
export const MAP = 37; // %
export const SET = 126; // ~
export const PUSH = 62; // >
export const ATTRIBUTE = 124; // |
export const STREAM_PART = 59; // ;
export const STREAM_END = 46; // .

/** Which bytes may begin an element. */
export const isElementType: readonly boolean[] = /* @__PURE__ */ Array.from(
  { length: 256 },
  (_, byte) => "+-:$*_#,(!=%~>|.".includes(String.fromCharCode(byte)),
);
