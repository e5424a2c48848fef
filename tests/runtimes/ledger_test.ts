/** The ledger in Node, Bun and Deno, with some faults mixed. */
import { testLedger } from "./ledger.ts";

testLedger({ seed: 1, seconds: 5, alone: false });
