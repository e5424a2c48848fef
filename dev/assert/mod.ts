// Stands in for jsr:@std/assert where JSR cannot be reached: the same package's compiled modules
// as npm has them, with types of our own since npm has none. Where JSR is in reach, name that package
// in the imports of deno.json and delete this folder. A "links" field there would do the same, but
// Deno warns of it in every project whose import map names this one.

// @ts-types="./assert.d.ts"
export * from "npm:deno-std@1.4.0/assert/mod.js";
