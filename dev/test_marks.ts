/**
 * Loaded before each test file: notes in `$TEST_MARKS` when the file starts and when its last test
 * has ended, since the output of `deno test` does not say so of files that run side by side.
 */
const marks = Deno.env.get("TEST_MARKS");
if (marks !== undefined) {
  const mark = (state: string) =>
    Deno.writeTextFileSync(marks, `${state} ${Date.now()} ${Deno.mainModule}\n`, { append: true });
  mark("started");
  Deno.test.afterAll(() => mark("ended"));
}
