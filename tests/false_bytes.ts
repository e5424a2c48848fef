/** Arrays of bytes whose bytes are gone, or are not as many as they say. */
export function falseBytes(): Record<string, Uint8Array> {
  const detached = new Uint8Array(3);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const emptied = new Uint8Array(0);
  structuredClone(emptied.buffer, { transfer: [emptied.buffer] });
  const hiding = Object.defineProperty(new Uint8Array(3), "length", { value: 3 });
  structuredClone(hiding.buffer, { transfer: [hiding.buffer] });
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  const outside = new Uint8Array(shrunk, 4, 4);
  const tracking = new Uint8Array(shrunk, 4);
  shrunk.resize(2);
  return {
    detached,
    "detached and empty": emptied,
    "outside of its buffer": outside,
    "tracking a buffer that ends before it": tracking,
    "a subclass with another length": new (class extends Uint8Array {
      override get length(): 3 {
        return 3;
      }
    })(9),
    "another length of its own": Object.defineProperty(new Uint8Array(3), "length", { value: 9 }),
    "a length that is none": Object.defineProperty(new Uint8Array(3), "length", { value: NaN }),
    "detached, and says otherwise": hiding,
    "a proxy": new Proxy(new Uint8Array(3), {}),
    "an object of its prototype": Object.create(Uint8Array.prototype, { length: { value: 3 } }),
    "an object like it": { length: 3, BYTES_PER_ELEMENT: 1, 0: 1, 1: 2, 2: 3 } as never,
    "signed bytes": new Int8Array(3) as never,
    "a buffer": new ArrayBuffer(3) as never,
    "shared memory": new SharedArrayBuffer(3) as never,
    "a view": new DataView(new ArrayBuffer(3)) as never,
  };
}
