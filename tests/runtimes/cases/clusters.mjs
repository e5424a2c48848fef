/** All primaries of a cluster are watched, and what becomes of them is followed. */
import { formatSlots, hashSlot } from "@keywatch/keywatch/discovery";
import { ClusterKeyspaceNotifications } from "@keywatch/keywatch";
import { equal, ok, takeOne, until } from "../kit.mjs";

const urlOf = ({ host, port }) => `redis://${host}:${port}`;

/** A key whose slot a node owns. */
function keyOf(topology, id, beginning) {
  for (let n = 0;; n++) {
    const key = `${beginning}:${n}`;
    if (topology.ownerOf(hashSlot(key)).id === id) return key;
  }
}

function watchesPrimaries(protocol) {
  return async (scene) => {
    const gaps = [];
    const notifications = await scene.connect(
      { protocol, refreshInterval: 200, onGap: (gap) => gaps.push(gap), onWarning() {} },
      scene.settings.cluster.urls,
    );
    ok(notifications instanceof ClusterKeyspaceNotifications, "a cluster is recognized");
    await notifications.subscribeKeyspace("user:*");
    const told = async (beginning) => {
      const { topology } = notifications;
      for (const primary of topology.primaries) {
        const key = keyOf(topology, primary.id, beginning);
        const client = await scene.client(urlOf(primary));
        await until(`${key} can be set`, async () => {
          return await client.command("SET", key, "x").catch(() => null) === "OK";
        });
        const notification = await takeOne(notifications);
        equal([notification.key, notification.slot], [key, hashSlot(key)]);
        equal(notification.node, `${primary.host}:${primary.port}`);
      }
    };
    await told("user:before");

    const { topology } = notifications;
    const lost = topology.primaries.find(({ id }) =>
      topology.replicasOf(id).some(({ health }) => health !== "failed")
    );
    const slots = formatSlots(topology.slotsOf(lost.id));
    const client = await scene.client(urlOf(lost));
    client.command("SHUTDOWN", "NOSAVE").catch(() => {});
    await until("it is missed", () => !notifications.health().ok);
    equal(formatSlots(notifications.status().slots.uncovered), slots);
    await until("its replica has taken over", () => notifications.health().ok);
    equal(gaps.map((gap) => [gap.reason, formatSlots(gap.slots)]), [["failover", slots]]);
    equal(formatSlots(notifications.status().slots.covered), "0-16383");
    await told("user:after");

    await notifications.close();
    for (const primary of notifications.topology.primaries) {
      const client = await scene.client(urlOf(primary));
      await until("the node has lost the connection", async () => {
        return !(await client.command("CLIENT", "LIST")).includes(" name=keywatch ");
      });
    }
  };
}

export const clustering = [
  {
    name: "RESP3: watches a cluster through the loss of a primary",
    run: watchesPrimaries(3),
    needs: "a cluster",
  },
  {
    name: "RESP2: watches a cluster through the loss of a primary",
    run: watchesPrimaries(2),
    needs: "a cluster",
  },
];
