/**
 * Sentinels: where they say that a primary is, and what they publish of it. Loaded by `import()`, where
 * a target names sentinels.
 *
 * @module
 */

export { Sentinels } from "./sentinels.ts";
export { readSentinelTarget } from "./target.ts";
export { followSentinels } from "./watch.ts";
