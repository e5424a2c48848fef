/**
 * Takes the picture of the dashboard that the documents show, `docs/dashboard.png`: two minutes of a
 * small shop on a cluster in which a node fails now and then. It needs Chromium.
 *
 * @module
 */

import { join } from "node:path";
import { InProcess } from "../../tests/cli/in_process.ts";
import { findChromium } from "../../tests/browser/chromium.ts";
import { Page } from "../../tests/browser/page.ts";
import { sleep, startCluster } from "../../tests/servers/mod.ts";
import { live } from "../examples/life.ts";
import { ROOT } from "../project.ts";

/** How long to wait, in ms: what the chart shows, and a little more. */
const LENGTH = 125_000;

const config = { "notify-keyspace-events": "KA", "cluster-require-full-coverage": "no" };
const over = new AbortController();
await using cluster = await startCluster({ config });
await using cli = InProcess.run(["dashboard", "--url", cluster.urls[0]!, "--port", "0"]);
const url = (await cli.line())!;
await using page = await Page.open(await findChromium());
await page.look({ width: 1280, height: 820, scheme: "light" });
await page.goTo(url);
const living = live(cluster.servers, over.signal);
try {
  await sleep(LENGTH);
  await Deno.writeFile(join(ROOT, "docs/dashboard.png"), await page.picture());
} finally {
  over.abort();
  await living;
}
