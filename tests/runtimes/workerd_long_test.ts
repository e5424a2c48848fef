/** The whole contract in Workers. */
import { testWorkers } from "./workerd.ts";

testWorkers({ everything: true });
