/** What cases claim. Needs nothing of a runtime. */

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  // So a runtime's own kind of bytes, such as a Buffer, is not the same as a Uint8Array.
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** A value in words. */
export function show(value) {
  const text = JSON.stringify(value, (_key, part) => {
    if (part === undefined) return "undefined";
    if (typeof part === "bigint") return `${part}n`;
    return part instanceof Uint8Array ? `${part.constructor.name} ${[...part]}` : part;
  });
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** Fails unless the two are alike to their last leaf, in kind too. */
export function equal(actual, expected, what = "it") {
  if (same(actual, expected)) return;
  throw new Error(`Expected that ${what} is ${show(expected)}, but it is ${show(actual)}`);
}

export function ok(condition, what) {
  if (!condition) throw new Error(`Expected that ${what}`);
}
