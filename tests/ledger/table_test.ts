import { assertEquals, assertThrows } from "@std/assert";
import { judge, type Seen, type Write } from "./ledger.ts";
import type { Named } from "./scenarios.ts";
import { filledIn, fillIn, mergeFigures, table } from "./table.ts";

function run(name: string, writes: number, delivered: number): Named {
  const written: Write[] = Array.from({ length: writes }, (_, index) => ({
    number: index + 1,
    lane: "a",
    sentAt: index,
    answeredAt: index,
    refused: false,
  }));
  const seen: Seen[] = written.slice(0, delivered)
    .map(({ number }) => ({ kind: "write", number, at: number }));
  const report = judge({ writes: written, seen, happenings: [] });
  return {
    name,
    outcome: { report, faults: { cut: 2, reset: 1 }, isExcused: true, failure: null, problems: [] },
  };
}

Deno.test("runs of one name share a row of the table", () => {
  assertEquals(
    table([run("a", 1200, 1199), run("b", 2, 2), run("a", 10, 10)]),
    "|  | faults injected | events written | delivered | inside gaps | gaps | lost in silence " +
      "| duplicated | out of order | gaps not honest |\n" +
      "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n" +
      "| a | 6 | 1,210 | 1,209 | 0 | 0 | 1 | 0 | 0 | 0 |\n" +
      "| b | 3 | 2 | 2 | 0 | 0 | 0 | 0 | 0 | 0 |\n",
  );
});

Deno.test("the table takes the place of the one before, and nothing else changes", () => {
  const document = "Before.\n\n<!-- x -->\n\nold\n\n<!-- end of x -->\n\nAfter.\n";
  const filled = "Before.\n\n<!-- x -->\n\nnew\n\n<!-- end of x -->\n\nAfter.\n";
  assertEquals(fillIn(document, "x", "new\n"), filled);
  assertEquals(fillIn(filled, "x", "new\n"), filled);
  assertThrows(() => fillIn(document, "y", "new\n"), Error, "<!-- y -->");
  assertEquals(filledIn(filled, "x"), "new");
  assertThrows(() => filledIn(document, "y"), Error, "<!-- y -->");
});

Deno.test("the figures of one server take the place of its own, and of no other", () => {
  const of = (server: string, cell: string) => `${server}, mixed for 9 s, seed 1:\n\n| ${cell} |\n`;
  const before = `${of("redis 7.0.15", "a")}\n${of("valkey 9.1.2", "b")}`;
  const after = `${of("redis 7.0.15", "a")}\n${of("valkey 9.1.2", "c")}`;
  assertEquals(mergeFigures(before, of("valkey 9.1.2", "c")), after);
  assertEquals(mergeFigures("", after), after);
});
