import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { inOneError } from "../../cluster/watched_cluster.ts";
import {
  AuthError,
  ClosedError,
  ConnectError,
  MissingDatabaseError,
  MissingFlagsError,
  TimeoutError,
} from "../../mod.ts";

Deno.test("what one node failed with, or all alike, stays what it is", () => {
  const closed = new ClosedError("it was closed");
  assertStrictEquals(inOneError([closed]), closed);
  assertStrictEquals(inOneError([closed, new ClosedError("it was closed")]), closed);
});

Deno.test("what several nodes failed with is one error of the first one's kind, with all they said", () => {
  const flags = { server: "a:1", configured: "K", missing: "A", command: "CONFIG SET x" };
  const database = { server: "a:1", database: 7 };
  for (
    const first of [
      new MissingFlagsError("a lacks A", flags),
      new MissingDatabaseError("a has no 7", database),
      new AuthError("PASSWORD_REFUSED", "a refuses"),
      new ConnectError("CONNECTION_LOST", "a is gone"),
      new TimeoutError("REPLY_TIMEOUT", "a is silent", 500),
    ]
  ) {
    const second = new ConnectError("CONNECT_FAILED", "b is gone");
    // The one that did not answer says least.
    const each = first instanceof TimeoutError ? [second, first] : [first, second];
    const error = inOneError([first, second]);
    assertEquals([error.name, error.constructor], [each[0]!.name, each[0]!.constructor]);
    assertEquals((error as typeof first).code, (each[0] as typeof first).code);
    assertEquals(error.message, each.map(({ message }) => message).join("; "));
    assert(error.cause instanceof AggregateError);
    assertEquals(error.cause.errors, each);
  }
  const [lacking, absent, silent] = [
    new MissingFlagsError("a", flags),
    new MissingDatabaseError("a", database),
    new TimeoutError("REPLY_TIMEOUT", "a", 500),
  ].map((error) => inOneError([error, new TimeoutError("REPLY_TIMEOUT", "b", 600)]));
  assert(lacking instanceof MissingFlagsError);
  assertEquals([lacking.server, lacking.configured, lacking.missing], ["a:1", "K", "A"]);
  assertEquals([lacking.code, lacking.command], ["FLAGS_MISSING", "CONFIG SET x"]);
  assert(absent instanceof MissingDatabaseError);
  assertEquals([absent.server, absent.database], ["a:1", 7]);
  assert(silent instanceof TimeoutError);
  assertEquals(silent.timeout, 500);
});

Deno.test("of many nodes some are quoted, and the others counted", () => {
  const errors = Array.from(
    { length: 1_000 },
    (_, n) => new ConnectError("CONNECTION_LOST", `${n} is gone`),
  );
  const { message } = inOneError(errors);
  assertEquals(message, "0 is gone; 1 is gone; 2 is gone; and 997 more nodes");
});
