/** Sentinels say where the primary is, and when it is another one. */
import { equal, ok, takeOne, until } from "../kit.mjs";

function followsFailovers(protocol) {
  return async (scene) => {
    const { target, password } = scene.settings.sentinels;
    const sentinel = await scene.client(target.sentinels[0]);
    const ask = (command) => sentinel.command("SENTINEL", command, target.name);
    const primary = async () => {
      const [host, port] = await ask("GET-MASTER-ADDR-BY-NAME");
      return { node: `${host}:${port}`, url: `redis://:${password}@${host}:${port}` };
    };
    const gaps = [];
    const notifications = await scene.connect(
      { protocol, password, onGap: (gap) => gaps.push(gap) },
      target,
    );
    await notifications.subscribeKeyspace("user:*");
    const told = async (key) => {
      const { node, url } = await primary();
      equal(notifications.status().nodes[0].node, node);
      await (await scene.client(url)).command("SET", key, "x");
      const notification = await takeOne(notifications);
      equal([notification.eventType, notification.key], ["set", key]);
      return node;
    };
    const first = await told("user:before");
    await until("a failover begins", async () => {
      // It says so where another is under way, or the replica is not known well enough yet.
      return await ask("FAILOVER").catch(() => null) === "OK";
    });
    await until("another one is the primary", async () => (await primary()).node !== first);
    await until("it is followed", () => gaps.length > 0 && notifications.health().ok);
    await told("user:after");
    for (const { reason, node } of gaps) {
      equal(reason, "failover");
      ok(node !== first, "the gap is that of the new primary");
    }
  };
}

export const following = [
  {
    name: "RESP3: follows a failover that sentinels report",
    run: followsFailovers(3),
    needs: "sentinels",
  },
  {
    name: "RESP2: follows a failover that sentinels report",
    run: followsFailovers(2),
    needs: "sentinels",
  },
];
