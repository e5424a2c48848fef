// Apart from what uses them, so that bundlers write the numbers in their places.

/** The servers count their databases in a C int. */
export const MAX_DATABASE = 0x7fffffff;

export const NEWLINE = 10;
export const STAR = 42;
export const COMMA = 44;
export const DASH = 45;
export const ZERO = 48;
export const COLON = 58;
export const QUESTION = 63;
export const OPEN = 91;
export const BACKSLASH = 92;
export const CLOSE = 93;
export const CARET = 94;
export const UNDERSCORE = 95;
export const PIPE = 124;
