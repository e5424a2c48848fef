/** What `watch` and `top` say of the flags, of many nodes at once. */
import { assertEquals } from "@std/assert";
import { checkFlags, type FlagsVerdict } from "../../cli/flags_check.ts";
import { Selection } from "../../cli/selection.ts";
import type { NodeStatus } from "../../mod.ts";

/** The nodes a, b, … have these flags. */
function check(flags: (string | null)[], ...events: string[]): FlagsVerdict {
  const nodes = flags.map((flags, i) => ({ node: "abcdefgh"[i], flags }) as NodeStatus);
  return checkFlags(nodes, new Selection({ patterns: ["user:*"], events, fields: [] }, "*"));
}

Deno.test("nodes that send all, or were not asked, are not spoken of", () => {
  assertEquals(check(["AKE", "AK", null]), { failure: null, warnings: [] });
  assertEquals(check([], "set"), { failure: null, warnings: [] });
});

Deno.test("nodes with the same result are listed in one line", () => {
  assertEquals(check(["AKE", "K$", "K$", "unknown", "Kg"]).warnings, [
    '2 nodes (b, c) send but a part of it: notify-keyspace-events is "K$" and lacks "A"',
    "d does not tell notify-keyspace-events; keywatch doctor --probe tries it",
    'e sends but a part of it: notify-keyspace-events is "Kg" and lacks "A"',
  ]);
  assertEquals(check(Array(5).fill("unknown")).warnings, [
    "5 nodes (a, b, c, …) do not tell notify-keyspace-events; keywatch doctor --probe tries it",
  ]);
});

Deno.test("what A hides is said of an event that was asked for by name", () => {
  assertEquals(check(["AK", "AKn"], "new", "set").warnings, [
    'a may not send all of it: notify-keyspace-events is "AK", which hides whether "n" is set; ' +
    "keywatch doctor --probe tries it",
  ]);
});

Deno.test("nodes that send nothing fail it, with the command that fixes them", () => {
  assertEquals(check(["AK", "K$", "K$"], "expired"), {
    failure: "Cannot receive user:* (expired) from 2 nodes (b, c): notify-keyspace-events is " +
      `"K$" and lacks "x"; run there: CONFIG SET notify-keyspace-events '$xK'`,
    warnings: [],
  });
});

Deno.test("a letter that a server does not know is not advised", () => {
  const node = { node: "a", flags: "", software: "redis", version: "7.0.15" } as NodeStatus;
  const check = (nodes: NodeStatus[], events: string[], fields: string[] = []) =>
    checkFlags(nodes, new Selection({ patterns: ["user:*"], events, fields }, "*")).failure;
  assertEquals(
    check([node], ["overwritten"]),
    'Cannot receive user:* (overwritten) from a: notify-keyspace-events is "" and lacks "oK"; ' +
      '"o" takes Redis 8.2',
  );
  assertEquals(
    check([{ ...node, flags: "AK" }], ["overwritten", "set"]),
    null,
  );
  assertEquals(
    check([node], ["overwritten", "set"]),
    'Cannot receive user:* (overwritten, set) from a: notify-keyspace-events is "" and lacks ' +
      `"$oK"; "o" takes Redis 8.2; run there: CONFIG SET notify-keyspace-events '$K'`,
  );
  // Each node by what it is.
  assertEquals(
    check([{ ...node, flags: "AK", node: "b", version: "8.6.3" }, { ...node, flags: "AK" }], [
      "overwritten",
    ]),
    'Cannot receive user:* (overwritten) from a: notify-keyspace-events is "AK" and lacks "o"; ' +
      '"o" takes Redis 8.2',
  );
});
