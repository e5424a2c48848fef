import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { buildSite } from "../../dev/docs/site.ts";
import { brokenLinks } from "../../dev/docs/site_links.ts";
import { ROOT } from "../../dev/project.ts";
import { temporaryTree } from "./tree.ts";

Deno.test("the site has all pages and the API reference, and every link resolves", async () => {
  const out = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    assertEquals(await buildSite(out, "/keywatch/"), []);
    const page = (path: string) => Deno.readTextFile(join(out, path));
    const start = await page("index.html");
    for await (const { name } of Deno.readDir(join(ROOT, "docs"))) {
      if (!name.endsWith(".md")) continue;
      const path = `docs/${name.replace(/md$/, "html")}`;
      assertStringIncludes(await page(path), '<main class="main"');
      assertStringIncludes(start, `href="/keywatch/${path}"`, `${path} is in the sidebar`);
    }
    assertStringIncludes(await page("docs/configuration.html"), 'id="heartbeatinterval"');
    assertStringIncludes(await page("examples/expired.ts.html"), "subscribeKeyevent");
    assertStringIncludes(await page("api/~/connect.html"), 'href="/keywatch/"');
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("links of a site to missing pages and anchors are found", async () => {
  await using files = await temporaryTree({
    "index.html": `<a href="/kw/a.html#one">1</a><a href="a.html#two">2</a><a href="b.html">3</a>`,
    "a.html": `<h1 id="one">One</h1><a href="/kw/">4</a><a href="/">5</a><img src="c.png">`,
  });
  assertEquals(await brokenLinks(files.root, "/kw/"), [
    "a.html: /",
    "a.html: c.png",
    "index.html: a.html#two",
    "index.html: b.html",
  ]);
});
