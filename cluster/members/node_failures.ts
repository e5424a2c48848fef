import {
  AuthError,
  ConnectError,
  MissingDatabaseError,
  MissingFlagsError,
  TimeoutError,
} from "../../pubsub/errors.ts";
import { quoteEach } from "../../pubsub/printable.ts";

/**
 * What some nodes failed with, as one error: its message has what each of them said, its cause their
 * errors. It is of the first one's kind; one that kept silent says least.
 *
 * @param errors one a node, at least one
 */
export function inOneError(errors: readonly Error[]): Error {
  const silent = errors.filter((error) => error instanceof TimeoutError);
  const each = [...errors.filter((error) => !(error instanceof TimeoutError)), ...silent];
  const [first] = each as [Error];
  const message = quoteEach(each, "nodes");
  if (message === first.message) return first;
  const options = { cause: new AggregateError(each, "Several nodes failed") };
  if (first instanceof MissingFlagsError) return new MissingFlagsError(message, first, options);
  if (first instanceof MissingDatabaseError) {
    return new MissingDatabaseError(message, first, options);
  }
  if (first instanceof TimeoutError) return new TimeoutError(message, first.timeout, options);
  if (first instanceof AuthError) return new AuthError(message, options);
  return first instanceof ConnectError ? new ConnectError(message, options) : first;
}
