import * as wire from "./wire.ts";

// Flat charges against maxHeldBytes: what a value takes beside its bytes, in V8, where it takes most.

/** Of a number, a boolean, a null, a simple string. */
export const SCALAR_COST = 32;
/** Of a string that becomes text. */
export const TEXT_COST = 48;
/** Of a string that stays bytes. */
export const BYTES_COST = 192;
/** Of an aggregate; of a verbatim string beside that of its text or bytes. */
export const AGGREGATE_COST = 192;
/** Of an error. */
const ERROR_COST = 1024;

/** The charge for a value that begins with this type. */
export function costOf(type: number, isText: boolean): number {
  switch (type) {
    case wire.SIMPLE_ERROR:
    case wire.BULK_ERROR:
      return ERROR_COST;
    case wire.BULK_STRING:
      return isText ? TEXT_COST : BYTES_COST;
    case wire.VERBATIM_STRING:
      return AGGREGATE_COST + (isText ? TEXT_COST : BYTES_COST);
    case wire.ARRAY:
    case wire.MAP:
    case wire.SET:
    case wire.PUSH:
    case wire.ATTRIBUTE:
      return AGGREGATE_COST;
    default:
      return SCALAR_COST;
  }
}
