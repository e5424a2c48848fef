import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  longestFirst,
  needsEveryServer,
  runsAlone,
  selectFiles,
  STARTED_FIRST,
} from "../../dev/test_files.ts";

Deno.test("the short suite leaves long files out, and with them it is every file", async () => {
  const short = await selectFiles([], false);
  const all = await selectFiles([], true);
  assert(short.files.length > 50 && all.files.length > short.files.length);
  assertEquals(
    all.files.filter((file) => !short.files.includes(file)),
    all.files.filter((file) => /_(?:matrix|long)(?:_serial)?_test\.ts$/.test(file)),
  );
  assert(all.files.some(needsEveryServer));
  assert(!short.files.some(needsEveryServer));
  assertEquals([short.isNamed, all.isNamed], [false, false]);
});

Deno.test("a file that is named runs in any suite, a folder as much of it as belongs there", async () => {
  const matrix = "tests/events/events_matrix_test.ts";
  assertEquals((await selectFiles([matrix], false)).files, [matrix]);
  const folder = await selectFiles(["./tests/events/", "--filter=x"], false);
  assert(folder.files.length > 0 && !folder.files.includes(matrix));
  assertEquals([folder.options, folder.isNamed], [["--filter=x"], true]);
  assert((await selectFiles(["tests/events"], true)).files.includes(matrix));
});

Deno.test("a place without tests is an error, not an empty run", async () => {
  await assertRejects(
    () => selectFiles(["tests/nowhere"], true),
    Error,
    "no tests at tests/nowhere",
  );
  await assertRejects(() => selectFiles(["mod.ts"], false), Error, "no tests at mod.ts");
});

Deno.test("a file that measures its process runs alone", () => {
  assert(runsAlone("tests/a_serial_test.ts"));
  assert(!runsAlone("tests/serial_a_test.ts"));
});

Deno.test("files that take long start before the others, and none is lost", async () => {
  const { files } = await selectFiles([], false);
  const ordered = longestFirst(files);
  assertEquals(ordered.slice(0, STARTED_FIRST.length), STARTED_FIRST);
  assertEquals(ordered.toSorted(), files.toSorted());
  assertEquals(longestFirst(["tests/a_test.ts"]), ["tests/a_test.ts"]);
});
