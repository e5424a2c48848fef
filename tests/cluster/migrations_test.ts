import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ClusterKeyspaceNotifications,
  connect,
  hashSlot,
  type KeyNotification,
} from "../../mod.ts";
import { startCluster, type TestServer, until } from "../servers/mod.ts";

const SLOT = hashSlot("{moves}");
const KEYS = Array.from({ length: 20 }, (_, n) => `{moves}:${n}`);

/** Sends commands to a node that does not own their slot yet, as a client that was sent there. */
async function ask({ host, port }: TestServer, ...commands: string[]): Promise<void> {
  using connection = await Deno.connect({ hostname: host, port });
  const text = commands.map((command) => `ASKING\r\n${command}\r\n`).join("");
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(1000);
  for (let answers = ""; answers.split("\r\n").length <= commands.length * 2;) {
    answers += new TextDecoder().decode(buffer.subarray(0, (await connection.read(buffer))!));
    assert(!answers.includes("-"), answers);
  }
}

for (const protocol of [2, 3] as const) {
  for (const migrations of ["hide", "mark"] as const) {
    const name =
      `RESP${protocol}, ${migrations}: of keys that MIGRATE moves only what happens is told`;
    Deno.test(name, async () => {
      await using cluster = await startCluster({ config: { "notify-keyspace-events": "KEA" } });
      const source = await cluster.ownerOf("{moves}");
      const target = cluster.servers.find((server) => server !== source)!;
      for (const key of KEYS) await source.command("SET", key, "x");
      await using notifications = await connect(cluster.urls, { protocol, migrations });
      assert(notifications instanceof ClusterKeyspaceNotifications);
      const heard: KeyNotification[] = [];
      await notifications.subscribeKeyspace("{moves}*", {
        handler: (notification) => void heard.push(notification),
      });

      const sourceId = await cluster.idOf(source);
      const targetId = await cluster.idOf(target);
      await target.command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", sourceId);
      await source.command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", targetId);
      const { host, port } = target;
      const migrate = async (...keys: string[]) => {
        await source.command("MIGRATE", host, port, "", 0, 5000, "KEYS", ...keys);
      };
      await migrate(...KEYS.slice(0, 10));
      await ask(target, `APPEND ${KEYS[0]} y`, `DEL ${KEYS[1]}`, "SET {moves}new x");
      await source.command("DEL", KEYS[10]!);
      await migrate(...KEYS.slice(11));
      for (const server of [target, source]) {
        await server.command("CLUSTER", "SETSLOT", SLOT, "NODE", targetId);
      }
      await target.command("DEL", KEYS[11]!);

      const from = { source: `127.0.0.1:${source.port}`, target: `127.0.0.1:${target.port}` };
      const tell = ({ eventType, key, node }: KeyNotification) => `${eventType} ${key} ${node}`;
      const moved = KEYS.filter((key) => key !== KEYS[10]);
      await until("all is told", () => {
        const { phantoms, held } = notifications.status().migrations!;
        return phantoms === 2 * moved.length && held === 0 &&
          heard.some((one) => tell(one) === `del ${KEYS[11]} ${from.target}`);
      });
      assertEquals(
        heard.filter(({ migration }) => !migration).map(tell).sort(),
        [
          `append ${KEYS[0]} ${from.target}`,
          `del ${KEYS[1]} ${from.target}`,
          `del ${KEYS[10]} ${from.source}`,
          `del ${KEYS[11]} ${from.target}`,
          `set {moves}new ${from.target}`,
        ].sort(),
      );
      const marked = heard.filter(({ migration }) => migration).map(tell).sort();
      const phantoms = moved.flatMap((key) => [
        `restore ${key} ${from.target}`,
        `del ${key} ${from.source}`,
      ]).sort();
      assertEquals(marked, migrations === "mark" ? phantoms : []);
      assertEquals(notifications.status().migrations!.uncertain, 0);
      assert(heard.every(({ slot }) => slot === SLOT));
    });
  }
}

Deno.test("a deletion by MIGRATE is told from others where restore is subscribed beside it, and not else", async () => {
  await using cluster = await startCluster({ config: { "notify-keyspace-events": "KEA" } });
  const source = await cluster.ownerOf("{moves}");
  const target = cluster.servers.find((server) => server !== source)!;
  for (const key of KEYS) await source.command("SET", key, "x");
  const watch = async (...events: string[]) => {
    const notifications = await connect(cluster.urls);
    const deleted: string[] = [];
    const handler = ({ eventType, key }: KeyNotification) => {
      if (eventType === "del") deleted.push(key);
    };
    for (const event of events) await notifications.subscribeKeyevent(event, { handler });
    return { notifications, deleted };
  };
  const seeing = await watch("del", "restore");
  const blind = await watch("del");
  await using _ = seeing.notifications;
  await using __ = blind.notifications;

  await target.command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", await cluster.idOf(source));
  await source.command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", await cluster.idOf(target));
  const [left, last, ...moved] = KEYS as [string, string, ...string[]];
  await source.command("DEL", left);
  await source.command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", ...moved);
  await source.command("DEL", last);
  for (const { deleted } of [seeing, blind]) {
    await until("the last is told", () => deleted.includes(last));
  }
  assertEquals(seeing.deleted, [left, last]);
  assertEquals(blind.deleted, [left, ...moved, last]);
  assertEquals(seeing.notifications.status().migrations!.phantoms, 2 * moved.length);
  const { phantoms, uncertain } = blind.notifications.status().migrations!;
  assertEquals([phantoms, uncertain], [0, 0]);
});

Deno.test("what a silent node leaves open is delivered within its time, in order", async () => {
  await using cluster = await startCluster({
    config: { "notify-keyspace-events": "KEA", "cluster-node-timeout": 15_000 },
  });
  const source = await cluster.ownerOf("{moves}");
  const target = cluster.servers.find((server) => server !== source)!;
  await using notifications = await connect(cluster.urls, { onWarning() {} });
  const heard: string[] = [];
  await notifications.subscribeKeyspace("{moves}*", {
    handler: ({ eventType, key, migration }) =>
      void heard.push(`${eventType} ${key}${migration ? " marked" : ""}`),
  });
  await source.command("SET", "{moves}", "x");
  const dump = await source.commandBytes("DUMP", "{moves}") as Uint8Array;
  await source.command("DEL", "{moves}");
  await target.command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", await cluster.idOf(source));
  const targetId = await cluster.idOf(target);
  await source.command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", targetId);
  await until("all so far is told", () => heard.length === 2);
  // Only the source can tell whether a key was restored by a client, or because it moves.
  source.pause();
  try {
    const hex = Array.from(dump, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    await ask(target, `RESTORE {moves}back 0 "${hex}"`, "SET {moves}later x");
    await until("it waits", () => notifications.status().migrations!.held > 0);
    await until("its time is over", () => heard.length === 4);
  } finally {
    source.resume();
  }
  assertEquals(heard, ["set {moves}", "del {moves}", "restore {moves}back", "set {moves}later"]);
  const { uncertain, held } = notifications.status().migrations!;
  assertEquals([uncertain, held], [1, 0]);
});

Deno.test("nothing is left out where the nodes may not be asked, and closing waits for nothing", async () => {
  await using cluster = await startCluster({
    config: { "notify-keyspace-events": "KEA" },
    acl: ["bo on >pw ~* &* +@all -cluster|nodes"],
  });
  const source = await cluster.ownerOf("{moves}");
  const target = cluster.servers.find((server) => server !== source)!;
  for (const key of KEYS) await source.command("SET", key, "x");
  const notifications = await connect(cluster.urls, { username: "bo", password: "pw" });
  assert(notifications instanceof ClusterKeyspaceNotifications);
  const heard: string[] = [];
  await notifications.subscribeKeyspace("{moves}*", {
    handler: ({ eventType, key }) => void heard.push(`${eventType} ${key}`),
  });
  await target.command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", await cluster.idOf(source));
  await source.command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", await cluster.idOf(target));
  const { host, port } = target;
  await source.command("MIGRATE", host, port, "", 0, 5000, "KEYS", ...KEYS.slice(1));
  await until("all is delivered", () => heard.length === 2 * (KEYS.length - 1));
  const { phantoms, uncertain } = notifications.status().migrations!;
  assertEquals([phantoms, uncertain >= KEYS.length - 1], [0, true]);
  source.pause();
  try {
    await ask(target, "SET {moves}new x");
    await notifications.close();
  } finally {
    source.resume();
  }
});

Deno.test("what becomes of phantoms is one of two things", async () => {
  const migrations = "drop" as "hide";
  await assertRejects(
    () => ClusterKeyspaceNotifications.connect(["redis://127.0.0.1:1"], { migrations }),
    TypeError,
    '"hide" or "mark"',
  );
});
