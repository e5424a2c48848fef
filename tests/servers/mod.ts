/** Real servers for the tests, the demo and the benchmarks. */
export * from "./binary.ts";
export * from "./client.ts";
export * from "./server.ts";
export * from "./versions.ts";
