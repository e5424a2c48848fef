import { testMemory } from "./memory_bounds.ts";

testMemory({ announced: 20, kept: 20_000 });
