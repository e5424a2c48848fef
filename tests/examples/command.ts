import { join } from "node:path";
import { ROOT } from "../../dev/project.ts";
import { type Finished, run } from "../servers/run.ts";

/** What runs an example by its name. */
export const COMMAND: [string, ...string[]] = [
  Deno.execPath(),
  "run",
  "--allow-all",
  join(ROOT, "dev/examples/main.ts"),
];

/** Runs an example to its end. */
export async function runExample(...args: string[]): Promise<Finished> {
  return await run([...COMMAND, ...args], { env: { NO_COLOR: "1", REDIS_URL: "" } });
}
