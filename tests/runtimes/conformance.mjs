/**
 * Runs the contract in the runtime that runs this, and prints one JSON object a line: the names of
 * all cases, how each ended, and the sums. The exit status is 1 if one failed. The process is left
 * to end by itself, which it does only when the package has released everything.
 *
 * The argument is JSON:
 * - `url`: `redis://:password@127.0.0.1:port`, a server to play with
 * - `exports`: the package's, such as `./resp`
 * - `secured`: the same server by TLS, `{ url, tls, strange }`: the options for it, and certificates
 *   that it does not know
 * - `unix`: the same by a unix socket, a URL
 * - `sentinels`: `{ target, password }`, what to connect to, and the password of the servers they
 *   watch over, of which there are two; left out, as the cluster may be, there are no cases of them
 * - `cluster`: `{ urls }`, of three primaries or more, each with a replica; two will be shut down
 * - `ways`: to the peers of `peers.ts`
 */
import process from "node:process";
import { cases as all } from "./cases/mod.mjs";
import { possible, runCases } from "./kit.mjs";
import { host } from "./plain.mjs";

const print = (line) => console.log(JSON.stringify(line));
const settings = JSON.parse(process.argv[2]);

const cases = possible(all, host, settings);
print({ cases: cases.map(({ name }) => name) });
const sums = { passed: 0, failed: 0 };
for await (const result of runCases(cases, host, settings)) {
  print(result);
  if (result.ok) sums.passed++;
  else sums.failed++;
}
print(sums);
process.exitCode = sums.failed === 0 ? 0 : 1;
