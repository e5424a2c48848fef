/**
 * The task `example`: runs an example by its name. With `$REDIS_URL` it runs against that server
 * until Ctrl-C. Without, it gets a private server and something to see there, and ends once it has
 * shown that. Without a name it lists the examples.
 *
 * The exit status is 1 if the example did not show what it must, and 2 for a name that is none.
 *
 * @module
 */

import { type Example, listExamples } from "./list.ts";
import { playExample, programOf } from "./play.ts";

/** Runs it for as long as the user likes: Ctrl-C reaches it by itself, and its end ends this. */
async function runAlone(example: Example): Promise<number> {
  const [program, ...args] = programOf(example);
  const child = new Deno.Command(program!, { args, stdin: "null" }).spawn();
  const leave = () => {};
  Deno.addSignalListener("SIGINT", leave);
  const { code } = await child.status;
  Deno.removeSignalListener("SIGINT", leave);
  return code;
}

const examples = await listExamples();
const [name] = Deno.args;
const example = examples.find((one) => one.name === name);
if (!example) {
  const list = [
    "deno task example NAME, where NAME is one of:\n",
    ...examples.map(({ name, title }) => `${name.padEnd(20)}${title}`),
  ].join("\n");
  if (name === undefined) {
    console.log(list);
    Deno.exit(0);
  }
  console.error(`There is no example ${name}.\n\n${list}`);
  Deno.exit(2);
}
if (Deno.env.get("REDIS_URL")) Deno.exit(await runAlone(example));
Deno.exit(await playExample(example) ? 0 : 1);
