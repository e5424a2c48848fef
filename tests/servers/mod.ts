/** Real servers for the tests, the demo and the benchmarks. */
export * from "./binary.ts";
export * from "./certificates.ts";
export * from "./client.ts";
export * from "./cluster.ts";
export * from "./sentinel.ts";
export * from "./server.ts";
export * from "./server_process.ts";
export * from "./versions.ts";
export * from "./wait.ts";
