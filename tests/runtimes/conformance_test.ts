/** The contract in Node, Bun and Deno, without the cases that wait for failovers. */
import { testConformance } from "./conformance.ts";

testConformance({ everything: false });
