/**
 * Loaded before each test file: notes in `$TEST_MARKS` when the file starts, and when its last test
 * has ended, how many of its tests ran. The output of `deno test` does not say so of files that run
 * side by side.
 */
const marks = Deno.env.get("TEST_MARKS");
if (marks !== undefined) {
  let count = 0;
  const mark = (state: string) => {
    const line = `${state} ${Date.now()} ${Deno.mainModule} ${count}\n`;
    Deno.writeTextFileSync(marks, line, { append: true });
  };
  mark("started");
  Deno.test.beforeEach(() => void count++);
  Deno.test.afterAll(() => mark("ended"));
}
