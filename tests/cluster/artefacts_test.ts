/** What slots on the move make, as it comes out: in a cluster that says what the test wants. */
import { assert, assertEquals } from "@std/assert";
import { ClusterKeyspaceNotifications, connect, type MigrationPolicy } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { SimulatedCluster } from "./simulated.ts";

/** In slot 5061, which the first node owns. */
const KEY = "bar";
const SLOT = 5061;

/** Two nodes, of which the second takes in the slot of the key, and what is delivered of it. */
async function open(way: "whole" | "key by key", migrations: MigrationPolicy) {
  const cluster = new SimulatedCluster(2);
  const [source, target] = cluster.nodes as [typeof cluster.nodes[0], typeof cluster.nodes[0]];
  source!.line = source!.lineAs(
    "master",
    "0-8191",
    ...(way === "whole" ? [] : [`[${SLOT}->-${target!.id}]`]),
  );
  if (way === "whole") {
    const fields = { id: "move", slots: `${SLOT}`, source: source!.id, operation: "import" };
    target!.moves = [{ ...fields, state: "wait-stream-eof" }];
  }
  target!.line = target!.lineAs(
    "master",
    "8192-16383",
    ...(way === "whole" ? [] : [`[${SLOT}-<-${source!.id}]`]),
  );
  const notifications = await connect(cluster.urls, { migrations, refreshInterval: 60_000 });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  const delivered: string[] = [];
  await notifications.subscribeKeyspace("*", {
    handler: ({ eventType, migration }) =>
      void delivered.push(migration ? `${eventType}, of the move` : eventType),
  });
  let sent = 0;
  /** Has a node emit an event, and waits until it is decided what that is. */
  const emit = async (node: typeof source, event: string) => {
    await node!.publish("__keyspace@0__:*", `__keyspace@0__:${KEY}`, event);
    sent++;
    await until("it has come", () => {
      return notifications.status().nodes.reduce((sum, { messages }) => sum + messages, 0) === sent;
    });
  };
  const settled = async () => {
    await until("all is decided", () => notifications.status().migrations!.held === 0);
    return delivered;
  };
  return {
    notifications,
    source,
    target,
    emit,
    settled,
    [Symbol.asyncDispose]: async () => {
      await notifications.close();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

for (const migrations of ["hide", "mark"] as const) {
  const how = migrations === "hide" ? "left out" : "marked";
  Deno.test(`what a node copies in an atomic migration is ${how}`, async () => {
    await using scene = await open("whole", migrations);
    const { source, target, emit, settled } = scene;
    await emit(source, "append");
    await emit(target, "set");
    const copied = migrations === "hide" ? [] : ["set, of the move"];
    assertEquals(await settled(), ["append", ...copied]);
    await emit(source, "persist");
    assertEquals(await settled(), ["append", ...copied, "persist"]);
    assertEquals(scene.notifications.status().migrations!.artefacts, 1);
  });

  Deno.test(`the restore and the deletion of a key that is moved are ${how}`, async () => {
    await using scene = await open("key by key", migrations);
    const { source, target, emit, settled } = scene;
    await emit(source, "append");
    // First something that nobody but a client does, so that the move is known.
    await emit(target, "lpush");
    assertEquals(await settled(), ["append", "lpush"]);
    // The server deletes the key once the other one has it, so both come at nearly the same time.
    await Promise.all([emit(target, "restore"), emit(source, "del")]);
    const moved = migrations === "hide" ? [] : ["del, of the move", "restore, of the move"];
    assertEquals((await settled()).slice(2).sort(), moved);
    assertEquals(scene.notifications.status().migrations!.artefacts, 2);
  });
}
