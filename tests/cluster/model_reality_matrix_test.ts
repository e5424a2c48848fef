import { matrix } from "../servers/mod.ts";
import { REDIS_8_6, VALKEY_9_1 } from "./model/profiles.ts";
import { compareWithReality } from "./model/reality.ts";

for (const binary of await matrix()) {
  const profile = [REDIS_8_6, VALKEY_9_1].find(({ software, version }) =>
    binary.product === software && binary.version.startsWith(version.slice(0, 3))
  );
  if (profile === undefined) continue;
  Deno.test(`${profile.name} sends what the model of it does`, async () => {
    await compareWithReality(profile, binary);
  });
}
