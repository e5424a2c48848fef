/**
 * Takes away all that Node adds to V8, and runs the bundle that is named.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { runInNewContext } from "node:vm";

const bundle = readFileSync(process.argv[2], "utf8");
const print = console.log.bind(console);
const end = process.exit.bind(process);
const language = new Set(runInNewContext("Object.getOwnPropertyNames(globalThis)"));
for (const name of Object.getOwnPropertyNames(globalThis)) {
  if (!language.has(name)) delete globalThis[name];
}

const left = Object.getOwnPropertyNames(globalThis).filter((name) => !language.has(name));
const { runRooms } = new Function(`${bundle}; return rooms;`)();
const passed = runRooms((line) => print(JSON.stringify(line)));
end(passed && left.length === 0 ? 0 : 1);
