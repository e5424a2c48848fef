import { matrix } from "../../servers/mod.ts";
import { cutUnderLoad } from "./cuts.ts";

for (const binary of await matrix()) {
  for (const protocol of [3, 2] as const) {
    Deno.test(`${binary.product} ${binary.version}, RESP${protocol}: cuts cause no gap`, async () => {
      await cutUnderLoad(10, { protocol }, binary);
    });
  }
}
