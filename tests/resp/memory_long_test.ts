import { testMemory } from "./memory_bounds.ts";

testMemory({ announced: 50, kept: 100_000 });
