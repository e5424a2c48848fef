/** The whole contract in Node, Bun and Deno. */
import { testConformance } from "./conformance.ts";

testConformance({ everything: true });
