/** The ledger in Node, Bun and Deno, with each fault alone and with faults mixed. */
import { anySeed } from "../ledger/seed.ts";
import { testLedger } from "./ledger.ts";

testLedger({ seed: anySeed(), seconds: 20, alone: true });
