/**
 * The sizes of bundles, from the package as npm gets it and from the modules as JSR serves them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "../../dev/project.ts";
import { applicationOfTests, bundleApplication, initialChunks } from "./package.ts";

/** The code that a bundle is made of, by what it imports. */
interface Entry {
  /** The line that a user writes; `@` stands for the package. */
  readonly code: string;
  /**
   * The package for npm says that its modules have no side effects. JSR serves modules without that
   * promise, so a bundler leaves out only what it can see to have none.
   */
  readonly form: "npm" | "jsr";
  /**
   * - `file`: one file with everything.
   * - `initial`: of a bundle in chunks, those that are loaded at the start.
   * - `chunks`: of a bundle in chunks, all of them.
   */
  readonly part: "file" | "initial" | "chunks";
  /** The runtime that it is bundled for, as package.json names it. */
  readonly condition?: "workerd";
}

/** Sizes in bytes, minified by esbuild and compressed by `gzip -9`. */
interface Size extends Entry {
  readonly what: string;
  /** The size to reach. */
  readonly target: number;
  /** The size as it is, where that is above the target. It may only shrink. */
  readonly now?: number;
}

const SERVER = 'export { KeyspaceNotifications } from "@";';
const CONNECT = 'export { connect } from "@";';
const ERROR = 'export { ConnectError } from "@";';
const PARSE = 'export * from "@/parse";';
const EVENTS = 'export * from "@/events";';
const CONNECTION = `export { open } from "@/connection"; ${PARSE}`;
const READING = 'export { KeyNotification } from "@/parse";';
const NAMES = 'export { EventType } from "@/events";';

// deno-fmt-ignore
const SIZES: readonly Size[] = [
  { what: "a connection",              form: "npm", part: "file",    code: CONNECTION,     target: 11_000, now: 20_971, condition: "workerd" },
  { what: "a watcher of one server",   form: "npm", part: "initial", code: SERVER,         target: 20_000, now: 39_502 },
  { what: "a watcher of one server",   form: "jsr", part: "initial", code: SERVER,         target: 20_000, now: 39_631 },
  { what: "all for one server",        form: "npm", part: "file",    code: SERVER,         target: 28_000, now: 61_005 },
  { what: "all for one server",        form: "jsr", part: "file",    code: SERVER,         target: 28_000, now: 61_049 },
  { what: "connect",                   form: "npm", part: "initial", code: CONNECT,        target: 27_000, now: 40_319 },
  { what: "connect",                   form: "jsr", part: "initial", code: CONNECT,        target: 27_000, now: 40_319 },
  { what: "connect",                   form: "npm", part: "chunks",  code: CONNECT,        target: 46_000, now: 94_652 },
  { what: "connect",                   form: "jsr", part: "chunks",  code: CONNECT,        target: 46_000, now: 94_654 },
  { what: "ConnectError",              form: "npm", part: "file",    code: ERROR,          target:    300 },
  { what: "ConnectError",              form: "jsr", part: "file",    code: ERROR,          target:    300, now:    897 },
  { what: "reading messages",          form: "jsr", part: "file",    code: READING,        target:  2_500, now:  4_053 },
  { what: "all of parse/",             form: "jsr", part: "file",    code: PARSE,          target:  3_600, now:  5_230 },
  { what: "parse/ and event names",    form: "jsr", part: "file",    code: PARSE + NAMES,  target:  4_700, now:  6_472 },
  { what: "all of parse/ and events/", form: "jsr", part: "file",    code: PARSE + EVENTS, target:  5_600, now:  7_543 },
];

/** How far a size may be from the one that is written down: above it, and below it. */
const GROWTH = 1.01;
const SHRINKAGE = 0.95;

const application = applicationOfTests();

function packageName({ form }: Entry, name: string): string {
  if (form === "npm") return `@keywatch/keywatch${name}`;
  const module = name.endsWith(".ts") ? name : `${name}/mod.ts`;
  return join(ROOT, module);
}

async function sizeOf(entry: Entry, number: number): Promise<number> {
  const { folder } = application;
  const code = entry.code.replaceAll(/"@([^"]*)"/g, (_, name) => {
    return JSON.stringify(packageName(entry, name));
  });
  await Deno.writeTextFile(join(folder, `size${number}.mjs`), code);
  const warnings = await bundleApplication(folder, `size${number}.mjs`, [
    "--minify",
    "--platform=neutral",
    `--outdir=size${number}`,
    `--metafile=size${number}.json`,
    ...(entry.part === "file" ? [] : ["--splitting"]),
    ...(entry.condition === undefined ? [] : [`--conditions=${entry.condition}`]),
  ]);
  assertEquals(warnings, "");
  const { outputs } = JSON.parse(await Deno.readTextFile(join(folder, `size${number}.json`)));
  const all = Object.keys(outputs);
  let size = 0;
  for (const path of entry.part === "initial" ? initialChunks(`size${number}.mjs`, outputs) : all) {
    size += gzipSync(await Deno.readFile(join(folder, path)), { level: 9 }).length;
  }
  return size;
}

/** What is wrong with a size; null if nothing is. */
function judge({ target, now }: Size, size: number): string | null {
  if (now === undefined) {
    return size <= target ? null : `${size} bytes are above the target of ${target}`;
  }
  if (size <= target) return `the target is met: leave out \`now: ${now}\``;
  if (size > now * GROWTH) return `${size} bytes are more than 1 % above ${now}`;
  return size < now * SHRINKAGE ? `it has shrunk: write \`now: ${size}\` for ${now}` : null;
}

Deno.test("bundles grow by no more than 1 %, and stay within their targets", async () => {
  const problems: string[] = [];
  for (const [number, row] of SIZES.entries()) {
    const problem = judge(row, await sizeOf(row, number));
    if (problem !== null) problems.push(`${row.what}, ${row.form}, ${row.part}: ${problem}`);
  }
  assertEquals(problems, []);
});
