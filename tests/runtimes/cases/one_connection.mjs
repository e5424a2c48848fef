/** The example of one connection, as it is written, in every runtime. */
import { watchKeys } from "../one_connection.mjs";
import { equal, ok, until } from "../kit.mjs";

export const onlyConnecting = [{
  name: "the example of one connection prints events until it ends",
  async run(scene) {
    const events = [];
    const over = watchKeys(scene.settings.url, "one:*", (event) => events.push(event));
    await until("it watches", async () => {
      await scene.commands([["SET", "one:1", "x"]]);
      return events.length > 1;
    });
    equal(events.slice(0, 2), ["watching one:* with one connection", "set one:1"]);
    await scene.commands([["CLIENT", "KILL", "TYPE", "pubsub"]]);
    await over;
    ok(events.at(-1).endsWith("everything is missed"), events.at(-1));
  },
}];
