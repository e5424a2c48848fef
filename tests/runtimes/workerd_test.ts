/** The contract in Workers, without the cases that wait for failovers. */
import { testWorkers } from "./workerd.ts";

testWorkers({ everything: false });
