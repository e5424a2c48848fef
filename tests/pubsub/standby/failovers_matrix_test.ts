import { assert } from "@std/assert";
import { matrix } from "../../servers/mod.ts";
import { FAILOVERS } from "../failover.ts";
import { failOver } from "./failovers.ts";

for (const binary of await matrix()) {
  for (const failover of FAILOVERS) {
    for (const protocol of [3, 2] as const) {
      Deno.test(`${binary.product} ${binary.version}, RESP${protocol}: ${failover.name}, and a replica stands by`, async () => {
        const { gaps } = await failOver(failover, { protocol }, binary);
        assert(gaps.every(({ keys }) => keys !== undefined), JSON.stringify(gaps));
      });
    }
  }
}
