import { matrix } from "../servers/mod.ts";
import { FAILOVERS, watchThrough } from "./failover.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  for (const failover of FAILOVERS) {
    Deno.test(`${binary.product} ${binary.version}: ${failover.name}, and nothing is lost in silence`, async () => {
      await watchThrough(failover, binary);
    });
  }
}
