import { nameOf } from "../events/observe.ts";
import { matrix, startServer } from "../servers/mod.ts";
import { assertComesWhole } from "./channel_types.ts";

for (const binary of await matrix()) {
  Deno.test(`${nameOf(binary)}: what each channel type says comes through whole`, async () => {
    await using server = await startServer({
      binary,
      config: { "notify-keyspace-events": "KE$" },
    });
    for (const protocol of [2, 3] as const) await assertComesWhole(server, protocol);
  });
}
