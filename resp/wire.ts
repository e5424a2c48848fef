// The type bytes of RESP and the bytes around them.

export const CR = 13;
export const LF = 10;
export const PLUS = 43;
export const MINUS = 45;
export const ZERO = 48;
export const QUESTION = 63;

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

const TYPES = "+-:$*_#,(!=%~>|;.";

const known: Uint8Array = new Uint8Array(256);
for (let i = 0; i < TYPES.length; i++) known[TYPES.charCodeAt(i)] = 1;

/** Whether a reply or a part of one can begin with this byte. */
export function isType(byte: number): boolean {
  return known[byte] === 1;
}
