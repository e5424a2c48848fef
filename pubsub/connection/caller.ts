import { ClosedError, CodedError } from "./errors.ts";

/** Of V8 and JavaScriptCore: notes the calls that led here, from above a function on. */
type Capture = (target: { stack?: string }, below: unknown) => void;

/**
 * Does the work of a public method. The stack of an error of this library then begins at the line that
 * called the method: where the error is made, deep inside and later, says nothing to the program.
 *
 * @param method the method, which calls this in the same turn
 */
export async function fromCaller<T>(method: unknown, work: () => Promise<T>): Promise<T> {
  const site: { stack?: string } = {};
  const { captureStackTrace } = Error as { captureStackTrace?: Capture };
  captureStackTrace?.(site, method);
  try {
    return await work();
  } catch (error) {
    const isOurs = error instanceof CodedError || error instanceof ClosedError ||
      error instanceof TypeError ||
      error instanceof RangeError;
    const calls = site.stack?.indexOf("\n    at ") ?? -1;
    if (isOurs && calls >= 0) {
      Reflect.set(error, "stack", `${error}${site.stack!.slice(calls)}`);
    }
    throw error;
  }
}
