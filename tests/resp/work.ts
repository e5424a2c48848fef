import { Buffer } from "node:buffer";

/** What was done with bytes while {@linkcode countWork} looked. */
export interface Work {
  /** Bytes read or written one at a time, and bytes moved or decoded by a built-in. */
  touched: number;
  /** Bytes reserved in arrays. */
  reserved: number;
}

/** Built-ins that go over all bytes they are given or have. */
const MOVERS = new Set(["set", "slice", "fill", "copyWithin", "indexOf", "join", "every", "some"]);

/** What the arrays that count stand for. */
const plain = new WeakMap<object, Uint8Array>();

function unwrap(value: unknown): unknown {
  return (typeof value === "object" && value !== null && plain.get(value)) || value;
}

let counting: Work | null = null;

// The codec takes these functions once, when it is loaded: so this file is to be imported before it.
for (const name of ["utf8Slice", "latin1Slice"] as const) {
  const slice = Buffer.prototype[name];
  Buffer.prototype[name] = function (start?: number, end?: number): string {
    const bytes = unwrap(this) as Buffer;
    if (counting !== null) counting.touched += (end ?? bytes.length) - (start ?? 0);
    return slice.call(bytes, start, end);
  };
}

/** What a view reads and writes at a time, in bytes. */
const ACCESSES = {
  getInt16: 2,
  getInt32: 4,
  setInt32: 4,
  getFloat64: 8,
} as const;

for (const [name, size] of Object.entries(ACCESSES) as [keyof typeof ACCESSES, number][]) {
  const access = DataView.prototype[name] as (...args: unknown[]) => unknown;
  (DataView.prototype as unknown as Record<string, unknown>)[name] = function (
    this: DataView,
    ...args: unknown[]
  ): unknown {
    if (counting !== null) counting.touched += size;
    return access.apply(this, args);
  };
}

/**
 * Counts what a piece of code does with bytes, so that a test can say what it costs without a clock:
 * while it runs, each `Uint8Array` made is one that counts.
 *
 * @param run Gets a function that makes a counting array of any array.
 */
export function countWork(run: (count: (bytes: Uint8Array) => Uint8Array) => void): Work {
  const work: Work = { touched: 0, reserved: 0 };
  const Real = Uint8Array;
  const decode = TextDecoder.prototype.decode;
  const count = (bytes: Uint8Array): Uint8Array => {
    const proxy = new Proxy(bytes, {
      get(target, name) {
        if (typeof name === "string" && name >= "0" && name <= ":") {
          work.touched++;
          return target[Number(name)];
        }
        // While counting, the one that counts.
        if (name === "constructor") return Uint8Array;
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const plainArgs = args.map(unwrap);
          if (name === "set") work.touched += (plainArgs[0] as Uint8Array).length;
          else if (name === "copyWithin") work.touched += Number(args[2]) - Number(args[1]);
          else if (MOVERS.has(String(name))) work.touched += target.length;
          const result = Reflect.apply(value, target, plainArgs);
          return result instanceof Real && result !== target ? count(result) : result;
        };
      },
      set(target, name, value) {
        work.touched++;
        return Reflect.set(target, name, value, target);
      },
    });
    plain.set(proxy, bytes);
    return proxy;
  };

  const Counting = new Proxy(Real, {
    construct(target, args) {
      const made = Reflect.construct(target, args.map(unwrap)) as Uint8Array;
      if (typeof args[0] === "number") work.reserved += made.length;
      return count(made);
    },
  });
  globalThis.Uint8Array = Counting;
  TextDecoder.prototype.decode = function (input, options) {
    const bytes = unwrap(input) as Uint8Array | undefined;
    work.touched += bytes?.byteLength ?? 0;
    return decode.call(this, bytes, options);
  };
  counting = work;
  try {
    run(count);
  } finally {
    counting = null;
    globalThis.Uint8Array = Real;
    TextDecoder.prototype.decode = decode;
  }
  return work;
}
