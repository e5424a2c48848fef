import { matrix } from "../servers/mod.ts";
import { FAILOVERS, watchThrough } from "./failover.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  for (const [index, failover] of FAILOVERS.entries()) {
    const protocol = index % 2 === 0 ? 3 : 2;
    Deno.test(`${binary.product} ${binary.version}, RESP${protocol}: ${failover.name}, and nothing is lost in silence`, async () => {
      await watchThrough(failover, { protocol, binary });
    });
  }
}
