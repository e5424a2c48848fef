import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { configurationDocument } from "../../dev/docs/configuration.ts";
import { ROOT } from "../../dev/project.ts";

Deno.test("docs/configuration.md is what the types of the options say", async () => {
  assertEquals(
    await Deno.readTextFile(join(ROOT, "docs", "configuration.md")),
    await configurationDocument(),
    "`deno task docs:configuration` updates it",
  );
});

Deno.test("docs/configuration.md describes inherited and nested options", async () => {
  const page = await Deno.readTextFile(join(ROOT, "docs", "configuration.md"));
  for (const name of ["timeout", "queue.items", "heartbeat.interval", "tls.ca", "keyPrefix"]) {
    assertStringIncludes(page, `\n### ${name}\n\nType: \``);
  }
  assertEquals(page.match(/^### heartbeat$/gm)?.length, 1);
});
