/** The ledger in Node, Bun and Deno, with each fault alone and with faults mixed. */
import { anySeed } from "../random.ts";
import { testLedger } from "./ledger.ts";

testLedger({ seed: anySeed(), seconds: 20, alone: true });
