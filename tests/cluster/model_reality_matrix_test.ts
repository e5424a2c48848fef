import { matrix } from "../servers/mod.ts";
import { EVERY_PROFILE } from "./model/profiles.ts";
import { compareWithReality } from "./model/reality.ts";

for (const binary of await matrix()) {
  const profile = EVERY_PROFILE.find(({ software, version }) =>
    binary.product === software && binary.version.startsWith(version.slice(0, 3))
  );
  if (profile === undefined) continue;
  Deno.test(`${profile.name} sends what the model of it does`, async () => {
    await compareWithReality(profile, binary);
  });
}
