/**
 * The dashboard in a real browser. Where there is none and none can be installed, this is skipped
 * with the reason, but never in CI. `$PICTURES` names a folder for the pictures that are taken.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { findChromium, MissingBrowserError } from "../browser/chromium.ts";
import { type Look, Page } from "../browser/page.ts";
import { startCluster, until } from "../servers/mod.ts";
import { Stage } from "../examples/stage.ts";
import { InProcess } from "./in_process.ts";

const LOOKS: Record<string, Look> = {
  light: { width: 1280, height: 900, scheme: "light" },
  dark: { width: 1280, height: 900, scheme: "dark" },
  phone: { width: 360, height: 740, scheme: "light", scale: 2 },
  "phone-dark": { width: 390, height: 844, scheme: "dark", scale: 2 },
};

const chromium = await findChromium().catch((error) => {
  if (!(error instanceof MissingBrowserError) || Deno.env.get("CI")) throw error;
  console.error(`The dashboard is not tested: ${error.message}`);
  return null;
});

function test(name: string, work: () => Promise<void>): void {
  Deno.test({ name, ignore: chromium === null, fn: work });
}

/** A server, its dashboard, and the page that shows it. */
async function open(urls: readonly string[], look: Look): Promise<
  AsyncDisposable & { page: Page; address: string; closeServer(): Promise<void> }
> {
  await using stack = new AsyncDisposableStack();
  const { cli, address } = await serve(urls[0]!, 0);
  stack.use(cli);
  const page = stack.use(await Page.open(chromium!));
  await page.look(look);
  await page.goTo(address);
  await shows(page, "#state", /^receiving from /);
  const all = stack.move();
  return {
    page,
    address,
    closeServer: async () => {
      cli.interrupt();
      await cli.exited();
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Serves the page, as the command does. */
async function serve(url: string, port: number): Promise<{ cli: InProcess; address: string }> {
  const cli = InProcess.run(["dashboard", "--url", url, "--port", `${port}`]);
  const address = await cli.line();
  return { cli, address: address! };
}

async function textOf(page: Page, selector: string): Promise<string> {
  return await page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent`);
}

async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  await until(`${selector} shows ${text}`, async () => text.test(await textOf(page, selector)));
}

async function rows(page: Page): Promise<string[]> {
  return await page.evaluate(`[...document.querySelectorAll("#items li")].map((row) =>
    row.classList.contains("gap") ? "gap" :
    row.querySelector(".event").textContent + " " + row.querySelector(".key").textContent)`);
}

/** What the chart shows, measured from what is drawn: counts of each kind, bars, bands in time. */
async function chart(page: Page): Promise<{
  counts: Record<string, number>;
  /** When the bars begin, in s. */
  starts: number[];
  bands: { from: number; to: number; drawnFrom: number; drawnTo: number; width: number }[];
}> {
  return await page.evaluate(`(() => {
    const svg = document.getElementById("chart");
    const number = (node, name) => Number(node.getAttribute(name));
    const labels = [...svg.querySelectorAll(":scope > text")];
    const marks = labels.filter((text) => text.getAttribute("text-anchor") === "end")
      .map((text) => [Number(text.textContent), number(text, "y")]);
    const [[low, lowY], [high, highY]] = [marks[0], marks.at(-1)];
    const perCount = (lowY - highY) / (high - low);
    const counts = {};
    const lefts = [];
    for (const path of svg.querySelectorAll("path[data-kind]")) {
      let sum = 0;
      const bars = path.getAttribute("d").matchAll(/M(\\S+) (\\S+?)V(\\S+?)H\\S+?V\\S+?Z/g);
      for (const [, left, bottom, top] of bars) {
        sum += (bottom - top) / perCount;
        lefts.push(Number(left) - 0.5);
      }
      counts[path.dataset.kind] = Math.round(sum);
    }
    const times = labels.filter((text) => text.getAttribute("text-anchor") === "middle")
      .map((text) => {
        const time = new Date();
        time.setHours(...text.textContent.split(":"), 0);
        // From before midnight.
        if (time > Date.now()) time.setDate(time.getDate() - 1);
        return [time.getTime(), number(text, "x")];
      });
    const [[t0, x0], [t1, x1]] = [times[0], times.at(-1)];
    const timeAt = (x) => t0 + (x - x0) / (x1 - x0) * (t1 - t0);
    const bands = [...svg.querySelectorAll("g.gap[data-from]")].map((band) => {
      const rect = band.querySelector("rect");
      const [x, width] = [number(rect, "x"), number(rect, "width")];
      return {
        from: number(band, "data-from"),
        to: number(band, "data-to"),
        drawnFrom: timeAt(x),
        drawnTo: timeAt(x + width),
        width,
      };
    });
    const starts = lefts.map((x) => Math.round(timeAt(x) / 100) / 10).sort((a, b) => a - b);
    return { counts, starts: [...new Set(starts)], bands };
  })()`);
}

test("dashboard draws events by second and kind, the latest, and a gap where it fell", async () => {
  await using stage = await Stage.open("KA");
  const { redis, server } = stage;
  await using dashboard = await open([stage.url], LOOKS["light"]!);
  const { page } = dashboard;
  const markup = '<img src="x" onerror="document.title = 1"> & <b>';
  for (let i = 0; i < 7; i++) await redis.set(`key:${i}`, "");
  for (let i = 0; i < 3; i++) await redis.hSet("product:1", `field ${i}`, "");
  await redis.del(["key:0", "key:1"]);
  await redis.set(markup, "");
  await redis.set("short", "", { PX: 1 });
  await shows(page, "#events", /^16$/);
  const counts = { strings: 9, hashes: 3, generic: 3, expired: 1 };
  await until("all is drawn", async () => {
    return JSON.stringify((await chart(page)).counts) === JSON.stringify(counts);
  });
  const times: number[] = await page.evaluate(
    `[...document.querySelectorAll("#items time")].map((time) => Date.parse(time.dateTime))`,
  );
  const seconds = new Set(times.toSorted().map((time) => Math.floor(time / 1_000)));
  assertEquals((await chart(page)).starts, [...seconds]);
  assertMatch(await textOf(page, "#legend"), /strings 9.*hashes 3.*generic 3.*expired 1/);
  assert((await rows(page)).includes(`set ${markup}`));
  assertEquals(await page.evaluate("[document.images.length, document.title]"), [0, "Keywatch"]);
  assertMatch(
    await page.evaluate("document.getElementById('chart').ariaLabel"),
    /: 16 events, .* 0 gaps/,
  );

  await stage.behindTheirBacks(["SET", "unseen", ""]);
  await shows(page, "#gap-count", /^1$/);
  await redis.set("after", "");
  await shows(page, "#events", /^17$/);
  const [newest, second, third] = await rows(page);
  assertEquals([newest, second], ["set after", "gap"]);
  assert(third !== "set unseen");
  const { bands: [band, ...others] } = await chart(page);
  assertEquals(others, []);
  assert(band!.from <= band!.to && band!.width >= 3);
  // To half a pixel, of which a second has nine.
  assertAlmostEquals(band!.drawnFrom, band!.from, 60);
  assertMatch(await textOf(page, "#gaps"), /disconnected, .*127\.0\.0\.1/);

  assertMatch(await textOf(page, "#nodes li"), new RegExp(`^127.0.0.1:${server.port}✓ ready`));
  const port = server.port;
  await stage.kill();
  await shows(page, "#nodes li", new RegExp(`^127.0.0.1:${port}! reconnecting for`));
  await shows(page, "#state", /reconnecting/);
  await until("the gap that lasts is drawn", async () => {
    const { bands } = await chart(page);
    return bands.length === 2 && bands[1]!.to === 0;
  });
  await server.restart();
  await shows(page, "#state", /^receiving from /);
  await shows(page, "#gap-count", /^2$/);
  const { bands } = await chart(page);
  assertEquals(bands.length, 2);
  for (const { from, to, drawnFrom, drawnTo, width } of bands) {
    assertAlmostEquals(drawnFrom, from, 60);
    if (width > 3) assertAlmostEquals(drawnTo, to, 60);
  }
  assertEquals(page.problems, []);
});

/** Each text of the page whose contrast with its ground is below what is read with ease. */
const FAINT = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const { color, fill, display } = getComputedStyle(node);
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || display === "none" || node.tagName === "title") continue;
    const ink = parse(node instanceof SVGElement ? fill : color).slice(0, 3);
    const ratio = contrast(ink, ground(node));
    if (ratio < 4.5) faint.push(node.textContent + ": " + ratio.toFixed(2));
  }
  for (const swatch of document.querySelectorAll("#legend .swatch:not(.hatch)")) {
    const ratio = contrast(parse(getComputedStyle(swatch).backgroundColor), ground(swatch.parentElement));
    if (ratio < 3) faint.push(swatch.parentElement.textContent + ": " + ratio.toFixed(2));
  }
  return faint;
})()`;

test("dashboard is readable in light and dark, and right on a phone's width", async () => {
  await using stage = await Stage.open("KA");
  const { redis } = stage;
  await using dashboard = await open([stage.url], LOOKS["light"]!);
  const { page, address } = dashboard;
  const long = `a key as long as some are:${"0123456789abcdef".repeat(20)}`;
  for (const key of [long, "user:1", "user:2"]) await redis.set(key, "");
  await redis.hSet("user:3", "name", "Ana");
  await stage.behindTheirBacks(["DEL", "user:1"]);
  await shows(page, "#gap-count", /^1$/);
  const grounds: Record<string, number> = {};
  for (const [name, look] of Object.entries(LOOKS)) {
    await page.look(look);
    await page.goTo(address);
    await shows(page, "#events", /^4$/);
    assertEquals(await page.evaluate(FAINT), [], name);
    const { wide, shown, outside, ground } = await page.evaluate(`({
      wide: document.scrollingElement.scrollWidth,
      shown: innerWidth,
      outside: [...document.querySelectorAll("body *")].filter((node) => {
        const { left, right, width } = node.getBoundingClientRect();
        return width > 0 && (left < -0.5 || right > innerWidth + 0.5) && !node.closest("#chart");
      }).map((node) => node.outerHTML.slice(0, 80)),
      ground: Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]),
    })`);
    assertEquals([wide, shown, outside], [look.width, look.width, []], name);
    grounds[name] = ground;
    const picture = await page.picture();
    assert(picture.length > 10_000, "the picture shows something");
    const folder = Deno.env.get("PICTURES");
    if (folder) await Deno.writeFile(join(folder, `dashboard-${name}.png`), picture);
  }
  assert(grounds["light"]! > 200 && grounds["phone"]! > 200, JSON.stringify(grounds));
  assert(grounds["dark"]! < 50 && grounds["phone-dark"]! < 50, JSON.stringify(grounds));
  assertEquals(page.problems, []);
});

test("dashboard can be gone through by keyboard, paused, and finds its server again", async () => {
  await using stage = await Stage.open("KA");
  const { redis } = stage;
  await using dashboard = await open([stage.url], LOOKS["phone"]!);
  const { page } = dashboard;
  const press = async (key: string) => {
    for (const type of ["keyDown", "keyUp"]) {
      await page.send("Input.dispatchKeyEvent", { type, key });
    }
  };
  await redis.set("a", "");
  await shows(page, "#events", /^1$/);
  await page.evaluate("document.getElementById('chart').focus()");
  await until("the second with the event is found", async () => {
    await press("ArrowLeft");
    return /^\d\d:\d\d:\d\dstrings1$/.test(await textOf(page, "#tip"));
  });
  assertEquals(await page.evaluate("document.getElementById('tip').hidden"), false);
  await press("Escape");
  assertEquals(await page.evaluate("document.getElementById('tip').hidden"), true);

  await page.evaluate("document.getElementById('pause').click()");
  await redis.set("b", "");
  // A page that was not paused shows it by then.
  await using other = await Page.open(chromium!);
  await other.goTo(dashboard.address);
  await shows(other, "#events", /^2$/);
  assertEquals(await textOf(page, "#events"), "1");
  await shows(page, "#pause", /^Resume \(1 new\)$/);
  await page.evaluate("document.getElementById('pause').click()");
  await shows(page, "#events", /^2$/);
  assertEquals(await textOf(page, "#pause"), "Pause");

  await dashboard.closeServer();
  await shows(page, "#state", /^this page has lost its server/);
  assertMatch(
    await page.evaluate("document.getElementById('figures').dataset.asOf"),
    /^as of \d\d:\d\d:\d\d$/,
  );
  assertMatch(await textOf(page, "#nodes .state"), /^\? as of/);
  const quiet = await page.evaluate(
    "[getComputedStyle(events).color, getComputedStyle(document.querySelector('dt')).color]",
  ) as string[];
  assertEquals(quiet[0], quiet[1], "the figures are grey");
  const port = Number(new URL(dashboard.address).port);
  // A proxy answers while the server is away.
  const asked = Promise.withResolvers<void>();
  const proxy = Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, () => {
    asked.resolve();
    return new Response("", { status: 502 });
  });
  await asked.promise;
  await proxy.shutdown();
  const again = await serve(stage.url, port);
  await using _again = again.cli;
  await shows(page, "#state", /^receiving from /);
  await redis.set("c", "");
  await until("it is shown", async () => (await rows(page))[0] === "set c");
});

test("dashboard shows which slots of a cluster are covered", async () => {
  await using cluster = await startCluster({
    config: { "notify-keyspace-events": "KA", "cluster-require-full-coverage": "no" },
  });
  await using dashboard = await open(cluster.urls, LOOKS["dark"]!);
  const { page } = dashboard;
  const strip = async () => ({
    label: await page.evaluate("document.getElementById('slots').ariaLabel"),
    owned: await page.evaluate(`[...document.querySelectorAll("#slots .owned")]
      .map(({ offsetWidth, parentElement }) => offsetWidth / parentElement.offsetWidth)`),
  });
  await shows(page, "#covered", /^100 %$/);
  const { label, owned } = await strip();
  assertEquals(label, "16,384 of 16,384 hash slots are covered");
  assertEquals(owned.length, 3);
  for (const share of owned) assertAlmostEquals(share, 1 / 3, 0.02);

  // A click on a node shows its events alone, another one all.
  for (const key of ["a", "b", "c", "d"]) {
    await (await cluster.ownerOf(key)).command("SET", key, "");
  }
  await shows(page, "#events", /^4$/);
  const { port } = await cluster.ownerOf("a");
  const select = `document.querySelector('#nodes [data-node="127.0.0.1:${port}"]').click()`;
  await page.evaluate(select);
  await until("only its events are shown", async () => {
    const shown = await rows(page);
    return shown.length > 0 && shown.length < 4 && shown.includes("set a");
  });
  assertEquals(await textOf(page, "#node-filter"), `only 127.0.0.1:${port}`);
  await page.evaluate(select);
  await shows(page, "#events", /^4$/);

  const [first, , last] = cluster.servers;
  await first!.kill();
  await shows(page, "#covered", /^66\.6 %$/);
  await until("the strip says so", async () => (await strip()).owned.length === 2);
  await shows(page, "#nodes .away", new RegExp(`^127.0.0.1:${first!.port}! reconnecting.*as of `));
  assertEquals(
    (await strip()).label.replaceAll("\u2060", ""),
    "10,923 of 16,384 hash slots are covered, not 0–5460",
  );
  await last!.command("SET", "d", "").catch(() => {});
  await first!.restart();
  await shows(page, "#covered", /^100 %$/);
  // A third of the slots is a third of the height.
  await until("the band has its share", async () => {
    const share = await page.evaluate(`(() => {
      const rect = document.querySelector("#chart g.gap[data-from] rect");
      const plot = document.getElementById("chart").clientHeight - 24 - 22;
      return rect === null ? 0 : Number(rect.getAttribute("height")) / plot;
    })()`);
    return Math.abs(share - 1 / 3) < 0.02;
  });
  await shows(page, "#gaps li", new RegExp(`127.0.0.1:${first!.port}.*slots5,461: 0.{1,3}5460`));
});

test("dashboard filters by what is clicked and typed, and shows details", async () => {
  await using stage = await Stage.open("KA");
  const { redis } = stage;
  await using dashboard = await open([stage.url], LOOKS["light"]!);
  const { page } = dashboard;
  const click = (selector: string) =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  const type = (selector: string, text: string) =>
    page.evaluate(`(() => {
      const input = document.querySelector(${JSON.stringify(selector)});
      input.value = ${JSON.stringify(text)};
      input.dispatchEvent(new Event("change"));
    })()`);
  for (const key of ["user:1", "user:2", "cart:1"]) await redis.set(key, "");
  await redis.hSet("user:3", "name", "Ana");
  await redis.zAdd("board", { score: 1, value: "Ana" });
  await shows(page, "#events", /^5$/);
  assertMatch(await textOf(page, "#legend"), /sets 0sorted sets 1/);

  // A hidden kind is neither drawn nor listed.
  await click("#legend [data-kind=strings]");
  assertEquals(Object.keys((await chart(page)).counts), ["hashes", "sorted-sets"]);
  assertEquals(await rows(page), ["zadd board", "hset user:3"]);
  await click("#legend [data-kind=strings]");

  await shows(page, "#prefixes", /^user:\*3/);
  await click("#prefixes button");
  await shows(page, "#events", /^3$/);
  assertEquals(await rows(page), ["hset user:3", "set user:2", "set user:1"]);
  assertEquals(await page.evaluate("pattern.value"), "user:*");
  await type("#event", "h*");
  await shows(page, "#events", /^1$/);
  assertMatch(await page.evaluate("location.search"), /pattern=user%3A\*&event=h\*/);
  // The address has it, so it is there after the page was loaded again.
  await page.goTo(await page.evaluate("location.href"));
  await shows(page, "#events", /^1$/);
  await type("#event", "nothing");
  await shows(page, "#latest .empty", /^No event matches/);
  await click("#clear");
  await shows(page, "#events", /^5$/);

  await page.evaluate(`(() => {
    range.value = "3600";
    range.dispatchEvent(new Event("change"));
  })()`);
  assertEquals(await textOf(page, "#history-title"), "Events by 15 seconds and kind");
  assertEquals((await chart(page)).counts, { strings: 3, hashes: 1, "sorted-sets": 1 });

  await stage.behindTheirBacks(["SET", "unseen", ""]);
  await shows(page, "#gap-count", /^1$/);
  await click("#gaps summary");
  await redis.set("later", "");
  await shows(page, "#events", /^6$/);
  assertEquals(await page.evaluate("document.querySelector('#gaps details').open"), true);
  assertMatch(await textOf(page, "#gaps details"), /The connection was lost\.from\d.*to\d/);
  assertEquals(page.problems, []);
});
