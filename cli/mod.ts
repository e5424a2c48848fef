/**
 * The command line tool: `watch` prints notifications, `top` shows live how much happens, `doctor`
 * says why nothing arrives, `flags` explains `notify-keyspace-events`.
 *
 * Run as a program, this module is the CLI; imported, it exports a function that runs it. `--help` after
 * a command lists its options.
 *
 * @example
 * ```ts no-run
 * import { main } from "@keywatch/keywatch/cli";
 *
 * const status = await main(["watch", "--url", "redis://localhost:6379", "user:*"]);
 * console.log(`ended with ${status}`);
 * ```
 *
 * @module
 */

export { main } from "./main.ts";

if (import.meta.main) await import("./bin.ts");
