import { encodeUtf8 } from "./utf8.ts";

// What the runtime says of typed arrays: their own properties can say anything.
const TYPED_ARRAY = /* @__PURE__ */ Object.getPrototypeOf(Uint8Array.prototype);
const typeOf = /* @__PURE__ */ getterOf(Symbol.toStringTag);
const lengthOf = /* @__PURE__ */ getterOf("length");

function getterOf(name: PropertyKey): () => unknown {
  return Object.getOwnPropertyDescriptor(TYPED_ARRAY, name)!.get!;
}

/** Whether a value is a `Uint8Array` of any realm, whether or not its bytes can be read. */
export function isByteArray(value: unknown): value is Uint8Array {
  return typeOf.call(value) === "Uint8Array";
}

/**
 * Returns the number of bytes of a `Uint8Array`; -1 if its buffer was transferred or cut short, or if
 * its `length` is not its own.
 */
export function byteLength(bytes: Uint8Array): number {
  try {
    const length = lengthOf.call(bytes);
    if (bytes.length !== length) return -1;
    // An array without its buffer is as empty as any other empty one, but its keys cannot be read.
    if (length === 0) TYPED_ARRAY.keys.call(bytes);
    return length;
  } catch {
    return -1;
  }
}

/**
 * Returns text as its UTF-8 bytes, and bytes of any realm as they are.
 *
 * @param index Zero-based index of the argument, for the error.
 * @throws {TypeError} The value is neither, or its bytes cannot be read.
 */
export function toBytes(value: unknown, index: number = 0): Uint8Array {
  if (typeof value === "string") return encodeUtf8(value);
  const isBytes = isByteArray(value);
  if (isBytes && byteLength(value) >= 0) return value;
  throw new TypeError(
    `Cannot take ${typeOf.call(value) ?? typeof value} for text or bytes (argument ${index})` +
      (isBytes ? ": its buffer was transferred or cut short, or its length is not its own" : ""),
  );
}
