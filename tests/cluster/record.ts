/**
 * Records what real clusters answer about themselves, as bytes of the wire, into
 * `tests/cluster/data/`: `deno run --allow-all tests/cluster/record.ts`.
 */
import { Decoder, encodeCommand } from "../../resp/mod.ts";
import {
  makeCertificates,
  matrix,
  type ServerBinary,
  startCluster,
  type TestCluster,
  type TestServer,
  until,
  within,
} from "../servers/mod.ts";
import { canMigrateAtomically } from "../ledger/slot_moves.ts";
import type { Recording } from "./recordings.ts";

const VIEWS = [["CLUSTER", "SHARDS"], ["CLUSTER", "SLOTS"]];

/** The bytes that answer a command. */
async function wire(server: TestServer, protocol: 2 | 3, command: string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: server.host, port: server.port });
  const expected = protocol === 3 ? 2 : 1;
  let replies = 0;
  let text = "";
  const decoder = new Decoder({ reply: () => replies++, push: () => {} });
  const buffer = new Uint8Array(65_536);
  const read = async () => {
    const size = await connection.read(buffer) ?? 0;
    const chunk = buffer.slice(0, size);
    decoder.write(chunk);
    return Array.from(chunk, (byte) => String.fromCharCode(byte)).join("");
  };
  if (protocol === 3) {
    await connection.write(encodeCommand(["HELLO", "3"]));
    while (replies < 1) await within(read(), 5_000, "HELLO");
  }
  await connection.write(encodeCommand(command));
  while (replies < expected) text += await within(read(), 5_000, command.join(" "));
  return text;
}

class Recorder {
  readonly recordings: Recording[] = [];

  constructor(readonly binary: ServerBinary) {}

  async record(state: string, server: TestServer, commands: string[][] = VIEWS): Promise<void> {
    for (const command of commands) {
      for (const protocol of [2, 3] as const) {
        this.recordings.push({
          state,
          command: command.join(" "),
          protocol,
          port: server.port,
          wire: await wire(server, protocol, command),
        });
      }
    }
  }

  /** Three primaries with a replica each, what becomes of them, and a node that joins. */
  async lives(): Promise<void> {
    await using cluster = await startCluster({ binary: this.binary, replicas: 1 });
    const [first, second] = cluster.servers as [TestServer, TestServer];
    await this.record("healthy", first);
    await cluster.add();
    await this.record("a node has joined", first);
    await this.migrates(cluster, first, second);
    await second.kill();
    await until("the replica has taken over", async () => {
      const owner = await cluster.ownerOf("c");
      return owner !== second && (await owner.command("ROLE") as string[])[0] === "master";
    });
    await until("the old primary counts as failed", async () => {
      return /master,fail /.test(await first.command("CLUSTER", "NODES") as string);
    });
    await this.record("after a failover", first);
  }

  /** A slot on its way from the second to the first: only these two know of it. */
  async migrates(_: TestCluster, first: TestServer, second: TestServer): Promise<void> {
    const [a, b] = await Promise.all([first, second].map((one) => one.command("CLUSTER", "MYID")));
    await first.command("CLUSTER", "SETSLOT", 8_000, "IMPORTING", String(b));
    await second.command("CLUSTER", "SETSLOT", 8_000, "MIGRATING", String(a));
    const views = [...VIEWS, ["CLUSTER", "NODES"]];
    await this.record("a slot comes by SETSLOT", first, views);
    await this.record("a slot goes by SETSLOT", second, [["CLUSTER", "NODES"]]);
    for (const one of [first, second]) await one.command("CLUSTER", "SETSLOT", 8_000, "STABLE");
  }

  /** A slot that has gone from the second to the first by a command of newer servers. */
  async imports(): Promise<void> {
    if (!canMigrateAtomically(this.binary)) return;
    const redis = this.binary.product === "redis";
    await using cluster = await startCluster({ binary: this.binary, primaries: 2, replicas: 1 });
    const [first, second, replica] = cluster.servers as [TestServer, TestServer, TestServer];
    const status = redis
      ? ["CLUSTER", "MIGRATION", "STATUS", "ALL"]
      : ["CLUSTER", "GETSLOTMIGRATIONS"];
    const stats = ["CLUSTER", "SLOT-STATS", "SLOTSRANGE", "15999", "16001"];
    const id = await cluster.idOf(first);
    await this.record("no slot has moved", first, [status, stats]);
    await (redis
      ? first.command("CLUSTER", "MIGRATION", "IMPORT", 16_000, 16_000)
      : second.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 16_000, 16_000, "NODE", id));
    await until("the slot has moved", async () => {
      const rows = await first.command(...status as ["CLUSTER"]);
      return /completed|success/.test(JSON.stringify(rows));
    });
    await this.record("a slot has come", first, [status, stats, ["CLUSTER", "NODES"]]);
    await this.record("a slot has gone", second, [status]);
    await cluster.failOver(replica);
    await this.record("a slot has come to its former primary", replica, [status]);
  }

  /** Nodes that go by other names than their IP address. */
  async isCalled(): Promise<void> {
    await using cluster = await startCluster({ binary: this.binary, primaries: 2 });
    const [first, second] = cluster.servers as [TestServer, TestServer];
    const set = (server: TestServer, name: string, value: string) =>
      server.command("CONFIG", "SET", `cluster-${name}`, value);
    await set(first, "preferred-endpoint-type", "unknown-endpoint");
    await this.record("the endpoint is unknown", first);
    await set(first, "preferred-endpoint-type", "hostname");
    await this.record("no host name is announced", first);
    await set(second, "announce-hostname", "two.example.com");
    await until("the name is known", async () => {
      return (await first.command("CLUSTER", "NODES") as string).includes("two.example.com");
    });
    await this.record("a host name is announced", first);
    await set(first, "preferred-endpoint-type", "ip");
    await this.record("a host name beside the IP address", first);
  }

  async speaksTls(): Promise<void> {
    const tls = await makeCertificates();
    await using cluster = await startCluster({ binary: this.binary, primaries: 2, tls });
    await this.record("TLS beside TCP", cluster.servers[0]!);
  }

  async isDown(): Promise<void> {
    const config = { "cluster-require-full-coverage": "no" };
    await using cluster = await startCluster({ binary: this.binary, primaries: 3, config });
    const [first, second] = cluster.servers as [TestServer, TestServer];
    await second.kill();
    await until("it counts as failed", async () => {
      return /master,fail /.test(await first.command("CLUSTER", "NODES") as string);
    });
    await this.record("a primary is down", first);
  }
}

const folder = new URL("data/", import.meta.url);
for (const binary of await matrix()) {
  const recorder = new Recorder(binary);
  await recorder.lives();
  await recorder.imports();
  await recorder.isCalled();
  await recorder.speaksTls();
  await recorder.isDown();
  const name = `${binary.product}-${binary.version.split(".").slice(0, 2).join(".")}.json`;
  const text = JSON.stringify(recorder.recordings, null, 2);
  await Deno.writeTextFile(new URL(name, folder), `${text}\n`);
  console.log(name, recorder.recordings.length);
}
