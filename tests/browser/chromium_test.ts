import { assertRejects } from "@std/assert";
import { findChromium, MissingBrowserError } from "./chromium.ts";

Deno.test("without a browser, and without the right to install one, it says what to do", async () => {
  const env = new Map([["PATH", "/nowhere"]]);
  await assertRejects(
    () => findChromium({ env, mayInstall: false }),
    MissingBrowserError,
    "`apt-get install chromium`) or set CHROMIUM",
  );
});

Deno.test("a chosen program that is not a browser is an error", async () => {
  const env = new Map([["CHROMIUM", Deno.execPath()], ["PATH", Deno.env.get("PATH")!]]);
  await assertRejects(() => findChromium({ env }), MissingBrowserError, "Cannot use $CHROMIUM");
});
