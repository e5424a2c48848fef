// Stands in for jsr:@std/assert where JSR cannot be reached: the same package's compiled modules
// as npm has them, with types of our own since npm has none. Where JSR is in reach, delete this
// folder and the "links" line of deno.json; nothing else refers to it.

// @ts-types="./assert.d.ts"
export * from "npm:deno-std@1.4.0/assert/mod.js";
