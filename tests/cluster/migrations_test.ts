import { assert, assertEquals, assertRejects } from "@std/assert";
import { hashSlot } from "../../cluster/discovery/mod.ts";
import { ClusterKeyspaceNotifications, connect, type KeyNotification } from "../../mod.ts";
import { inSteps } from "../steps.ts";
import { startCluster, type TestCluster, type TestServer, until } from "../servers/mod.ts";

/** A slot of a step's own, which moves between two nodes, and keys of it. */
class Migration {
  readonly slot: number;
  readonly keys: readonly string[];

  private constructor(
    readonly cluster: TestCluster,
    readonly tag: string,
    readonly source: TestServer,
    readonly target: TestServer,
  ) {
    this.slot = hashSlot(tag);
    this.keys = Array.from({ length: 20 }, (_, n) => `${tag}:${n}`);
  }

  /** @param tag the hash tag of the keys, which no other step has */
  static async of(cluster: TestCluster, tag: `{${string}}`): Promise<Migration> {
    const source = await cluster.ownerOf(tag);
    return new Migration(
      cluster,
      tag,
      source,
      cluster.servers.find((server) => server !== source)!,
    );
  }

  /** Sets all keys. */
  async fill(): Promise<void> {
    for (const key of this.keys) await this.source.command("SET", key, "x");
  }

  /** Has both nodes know that the slot moves. */
  async begin(): Promise<void> {
    const { cluster, slot, source, target } = this;
    const [sourceId, targetId] = [await cluster.idOf(source), await cluster.idOf(target)];
    await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
    await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
  }

  async move(...keys: string[]): Promise<void> {
    const { host, port } = this.target;
    await this.source.command("MIGRATE", host, port, "", 0, 5000, "KEYS", ...keys);
  }

  /** The slot is the target's. */
  async finish(): Promise<void> {
    const id = await this.cluster.idOf(this.target);
    for (const server of [this.target, this.source]) {
      await server.command("CLUSTER", "SETSLOT", this.slot, "NODE", id);
    }
  }
}

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

Deno.test(
  "slots that move by key",
  inSteps(async (step) => {
    // A node that is held up never counts as failed.
    const config = { "notify-keyspace-events": "KEA", "cluster-node-timeout": 15_000 };
    await using cluster = await startCluster({ config });

    for (const protocol of [2, 3] as const) {
      for (const migrations of ["hide", "mark"] as const) {
        const name =
          `RESP${protocol}, ${migrations}: of keys that MIGRATE moves only what happens is reported`;
        await step(name, async () => {
          const migration = await Migration.of(cluster, `{${migrations}${protocol}}`);
          const { keys, source, target, tag } = migration;
          await migration.fill();
          await using notifications = await connect(cluster.urls, { protocol, migrations });
          assert(notifications instanceof ClusterKeyspaceNotifications);
          const heard: KeyNotification[] = [];
          await notifications.subscribeKeyspace(`${tag}*`, {
            handler: (notification) => void heard.push(notification),
          });

          await migration.begin();
          await migration.move(...keys.slice(0, 10));
          await ask(target, `APPEND ${keys[0]} y`, `DEL ${keys[1]}`, `SET ${tag}new x`);
          await source.command("DEL", keys[10]!);
          await migration.move(...keys.slice(11));
          await migration.finish();
          await target.command("DEL", keys[11]!);

          const from = { source: `127.0.0.1:${source.port}`, target: `127.0.0.1:${target.port}` };
          const tell = ({ eventType, key, node }: KeyNotification) => `${eventType} ${key} ${node}`;
          const moved = keys.filter((key) => key !== keys[10]);
          await until("all is reported", () => {
            const { artefacts, held } = notifications.status().migrations!;
            return artefacts === 2 * moved.length && held === 0 &&
              heard.some((one) => tell(one) === `del ${keys[11]} ${from.target}`);
          });
          assertEquals(
            heard.filter(({ migration }) => !migration).map(tell).sort(),
            [
              `append ${keys[0]} ${from.target}`,
              `del ${keys[1]} ${from.target}`,
              `del ${keys[10]} ${from.source}`,
              `del ${keys[11]} ${from.target}`,
              `set ${tag}new ${from.target}`,
            ].sort(),
          );
          const marked = heard.filter(({ migration }) => migration).map(tell).sort();
          const artefacts = moved.flatMap((key) => [
            `restore ${key} ${from.target}`,
            `del ${key} ${from.source}`,
          ]).sort();
          assertEquals(marked, migrations === "mark" ? artefacts : []);
          assertEquals(notifications.status().migrations!.uncertain, 0);
          assert(heard.every(({ slot }) => slot === migration.slot));
        });
      }
    }

    await step(
      "a deletion by MIGRATE is distinguished from others, whether restore is subscribed or not",
      async () => {
        const migration = await Migration.of(cluster, "{deleted}");
        const { keys, source } = migration;
        await migration.fill();
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

        await migration.begin();
        const [left, last, ...moved] = keys as [string, string, ...string[]];
        await source.command("DEL", left);
        await migration.move(...moved);
        await source.command("DEL", last);
        for (const { deleted } of [seeing, blind]) {
          await until("the last is reported", () => deleted.includes(last));
        }
        for (const { deleted, notifications } of [seeing, blind]) {
          assertEquals(deleted, [left, last]);
          const { artefacts, uncertain } = notifications.status().migrations!;
          assertEquals([artefacts, uncertain], [2 * moved.length, 0]);
        }
      },
    );

    await step(
      "what a silent node leaves open is delivered within its time, in order",
      async () => {
        const migration = await Migration.of(cluster, "{silent}");
        const { source, target, tag } = migration;
        await using notifications = await connect(cluster.urls, { onWarning() {} });
        const heard: string[] = [];
        await notifications.subscribeKeyspace(`${tag}*`, {
          handler: ({ eventType, key, migration }) =>
            void heard.push(`${eventType} ${key}${migration === undefined ? "" : ` ${migration}`}`),
        });
        await source.command("SET", tag, "x");
        const dump = await source.commandBytes("DUMP", tag) as Uint8Array;
        await source.command("DEL", tag);
        await until("all so far is reported", () => heard.length === 2);
        await migration.begin();
        // Only the source can say whether a client restored a key, or the migration did.
        await source.pause();
        try {
          const hex = Array.from(dump, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
            "",
          );
          await ask(target, `RESTORE ${tag}back 0 "${hex}"`, `SET ${tag}later x`);
          await until("it waits", () => notifications.status().migrations!.held > 0);
          await until("it has expired", () => heard.length === 4);
        } finally {
          await source.resume();
        }
        assertEquals(heard, [
          `set ${tag}`,
          `del ${tag}`,
          `restore ${tag}back maybe`,
          `set ${tag}later`,
        ]);
        const { uncertain, held } = notifications.status().migrations!;
        assertEquals([uncertain, held], [1, 0]);
      },
    );

    await step(
      "nothing is hidden where fences are refused or not desired, and what may be an artefact is marked",
      async () => {
        const rules = ["on", ">pw", "~*", "&*", "+@all", "-ssubscribe"];
        for (const server of cluster.servers) {
          await server.command("ACL", "SETUSER", "bo", ...rules);
        }
        for (
          const [tag, options] of [
            ["{refused}", { username: "bo", password: "pw" }],
            ["{unwanted}", { migrations: "deliver" }],
          ] as const
        ) {
          const migration = await Migration.of(cluster, tag);
          const { keys, source, target } = migration;
          await migration.fill();
          const fences = async () => {
            const channels = await source.command("PUBSUB", "SHARDCHANNELS") as string[];
            return channels.length;
          };
          await until("no other client has fences", async () => await fences() === 0);
          const notifications = await connect(cluster.urls, options);
          assert(notifications instanceof ClusterKeyspaceNotifications);
          const heard: KeyNotification[] = [];
          await notifications.subscribeKeyspace(`${tag}*`, {
            handler: (notification) => void heard.push(notification),
          });
          assertEquals(await fences(), 0);
          await migration.begin();
          await migration.move(...keys.slice(1));
          await until("all is delivered", () => heard.length === 2 * (keys.length - 1));
          const restored = heard.filter(({ eventType }) => eventType === "restore");
          assertEquals(
            restored.map(({ migration }) => migration),
            restored.map(() => "maybe" as const),
          );
          const { artefacts, uncertain } = notifications.status().migrations!;
          assertEquals([artefacts, uncertain >= keys.length - 1], [0, true]);
          await ask(target, `SET ${tag}new x`);
          await until("it comes", () => heard.at(-1)!.key === `${tag}new`);
          await notifications.close();
        }
      },
    );

    await step("closing waits for nothing that a silent node would have to prove", async () => {
      const migration = await Migration.of(cluster, "{closed}");
      const { source, target, tag } = migration;
      await migration.fill();
      const notifications = await connect(cluster.urls);
      await notifications.subscribeKeyspace(`${tag}*`);
      await migration.begin();
      await source.pause();
      try {
        await ask(target, `SET ${tag}new x`);
        await notifications.close();
      } finally {
        await source.resume();
      }
    });
  }),
);

Deno.test("what becomes of artefacts is one of three things", async () => {
  const migrations = "drop" as "hide";
  await assertRejects(
    () => ClusterKeyspaceNotifications.connect(["redis://127.0.0.1:1"], { migrations }),
    TypeError,
    '"hide", "mark" or "deliver"',
  );
});
