import { testAggregates, testSingleBytes } from "./bounds.ts";

testSingleBytes(60_000);
testAggregates(100_000);
