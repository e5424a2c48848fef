/**
 * A simulated cluster in a process of its own: `servers.ts PRIMARIES` prints the URL of a node, and
 * ends with its standard input.
 */
import { SimulatedCluster } from "../../tests/cluster/simulated.ts";

await using cluster = new SimulatedCluster(Number(Deno.args[0]));
console.log(cluster.urls[0]);
for await (const _ of Deno.stdin.readable);
