import { matrix } from "../servers/mod.ts";
import { cutUnderLoad } from "./standby.ts";

for (const binary of await matrix()) {
  for (const protocol of [3, 2] as const) {
    Deno.test(`${binary.product} ${binary.version}, RESP${protocol}: cut connections to primaries leave no gap`, async () => {
      await cutUnderLoad(9, { protocol }, binary);
    });
  }
}
