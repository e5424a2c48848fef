import { assertEquals, assertNotEquals } from "@std/assert";
import { type CommandStats, mayLapse, type NodeView, readCommandStats } from "../../cluster/mod.ts";
import { Inquirer } from "../../cluster/inquirer.ts";
import type { Connection } from "../../pubsub/connection.ts";
import { type Reply, ServerError } from "../../resp/mod.ts";

const stats = (...lines: string[]) => ["# Commandstats", ...lines, ""].join("\r\n");
const keyspace = (...lines: string[]) => ["# Keyspace", ...lines, ""].join("\r\n");

const repeatsAll = (reply: Reply) => readCommandStats(reply).repeatsAll;

Deno.test("a node that ran MSETEX, or forgot what it ran, does not repeat all", () => {
  assertEquals(
    repeatsAll(stats("cmdstat_set:calls=1,usec=2", "cmdstat_mset:calls=1,usec=2")),
    true,
  );
  assertEquals(repeatsAll(stats("cmdstat_msetex:calls=0,usec=0,rejected_calls=1")), true);
  assertEquals(repeatsAll(stats("cmdstat_set:calls=1,usec=2", "cmdstat_msetex:calls=1")), false);
  assertEquals(repeatsAll(stats("cmdstat_config|resetstat:calls=1,usec=2")), false);
  for (const reply of ["", "# Keyspace", null, new ServerError("NOPERM no")]) {
    assertEquals(repeatsAll(reply), false);
  }
});

Deno.test("keys may lapse where one of any database has a time to live, or a field of it", () => {
  const plain = "db0:keys=10,expires=0,avg_ttl=0";
  assertEquals(mayLapse(keyspace()), false);
  assertEquals(mayLapse(keyspace(`${plain},keys_with_volatile_items=0`)), false);
  assertEquals(mayLapse(keyspace(plain, "db12:keys=60006,expires=4,avg_ttl=0")), true);
  assertEquals(mayLapse(keyspace(`${plain},keys_with_volatile_items=1`)), true);
  assertEquals(mayLapse(keyspace(`${plain},subexpiry=10`)), true);
  for (const reply of ["", "db0:keys=1,expires=0", null, new ServerError("NOPERM no")]) {
    assertEquals(mayLapse(reply), true);
  }
});

Deno.test("whether a node was emptied without an event, its count of commands tells", () => {
  const emptied = (...lines: string[]) => readCommandStats(stats(...lines)).emptied;
  const before = ["cmdstat_set:calls=1,usec=2", "cmdstat_flushdb:calls=2,usec=1"];
  assertEquals(emptied("cmdstat_set:calls=9,usec=20", before[1]!), emptied(...before));
  assertEquals(emptied("cmdstat_config|get:calls=1,usec=2", ...before), emptied(...before));
  for (
    const change of [
      "flushall:calls=1,usec=2",
      "swapdb:calls=1,usec=2",
      "cluster|flushslot:calls=1,usec=2",
      "config|resetstat:calls=1,usec=2",
    ]
  ) assertNotEquals(emptied(...before, `cmdstat_${change}`), emptied(...before), change);
  assertNotEquals(emptied(before[0]!, "cmdstat_flushdb:calls=3,usec=1"), emptied(...before));
  // Nothing that only looks like it.
  assertEquals(emptied("cmdstat_function|flush:calls=1,usec=2"), "");
  for (const reply of ["", "# Keyspace", null, new ServerError("NOPERM no")]) {
    assertEquals(readCommandStats(reply).emptied, null);
  }
});

/** A node that answers at once. */
function inquire(answers: Readonly<Record<string, Reply>>) {
  const connection = {
    over: null,
    query: (command: readonly string[], { answer }: { answer: (reply: Reply) => void }) =>
      answer(answers[command.join(" ")] ?? new ServerError("ERR unknown subcommand")),
  } as unknown as Connection;
  const inquirer = new Inquirer({
    connection,
    protocol: 3,
    openBeside: () => Promise.resolve(connection),
    keyPrefix: null,
    position: () => 0,
    onAnswer() {},
  });
  const common = { node: "a", sent() {}, fail() {} };
  const put = (question: object) => inquirer.put({ ...common, ...question } as never);
  let beginning: CommandStats | undefined;
  put({ kind: "moves", answer: (_: unknown, stats: CommandStats) => beginning = stats });
  return {
    inquirer,
    beginning: () => beginning,
    keys(): string[] {
      let found: string[] = [];
      put({
        kind: "keys",
        slots: [7],
        count: 10,
        answer: (keys: ReadonlyMap<number, readonly Uint8Array[]>) => {
          found = [...keys.values()].flat().map((key) => new TextDecoder().decode(key));
        },
      });
      return found;
    },
    view(): NodeView | null {
      let told: NodeView | null = null;
      const slots = { first: 7, last: 7 };
      put({ kind: "view", slots, needsMarkers: true, answer: (view: NodeView) => told = view });
      return told;
    },
  };
}

const NODES = "id :0 myself,master - 0 0 1 connected 7\n";
const LISTED = { "CLUSTER GETKEYSINSLOT 7 10": [new TextEncoder().encode("key")] };

Deno.test("of Valkey the keys of a slot count only where none can have lapsed", () => {
  const valkey = { "CLUSTER GETSLOTMIGRATIONS": [], ...LISTED };
  const none = keyspace("db0:keys=1,expires=0,avg_ttl=0");
  const some = keyspace("db0:keys=2,expires=1,avg_ttl=0");
  assertEquals(inquire({ ...valkey, "INFO keyspace": none }).keys(), ["key"]);
  assertEquals(inquire({ ...valkey, "INFO keyspace": some }).keys(), []);
  assertEquals(inquire(valkey).keys(), []);
  const redis = { "CLUSTER MIGRATION STATUS ALL": [], ...LISTED };
  assertEquals(inquire({ ...redis, "INFO keyspace": some }).keys(), ["key"]);
});

Deno.test("a node that is loading its data is asked again, and not taken for one that will not say", async () => {
  const loading = new ServerError("LOADING Redis is loading the dataset in memory");
  const answers: Record<string, Reply> = { "CLUSTER NODES": loading };
  const { inquirer, view } = inquire(answers);
  assertEquals(view(), null);
  const told = Promise.withResolvers<NodeView | null>();
  const question = { kind: "view", slots: { first: 7, last: 7 }, needsMarkers: true };
  const failed = () => told.resolve(null);
  const common = { node: "a", sent() {}, answer: told.resolve, fail: failed };
  inquirer.put({ ...common, ...question } as never);
  answers["CLUSTER NODES"] = NODES;
  assertEquals((await told.promise)?.slots, [{ first: 7, last: 7 }]);

  // What is still to be asked when all ends gets no answer.
  answers["CLUSTER NODES"] = loading;
  let failures = 0;
  inquirer.put({ ...common, ...question, fail: () => failures++ } as never);
  inquirer.close();
  assertEquals(failures, 1);
});

Deno.test("a node that can move slots as a whole is asked whether it repeats all", () => {
  const nodes = { "CLUSTER NODES": NODES };
  const ran = (command: string) => ({ "INFO commandstats": stats(`cmdstat_${command}:calls=1`) });
  const moves = { "CLUSTER GETSLOTMIGRATIONS": [] };
  assertEquals(inquire({ ...nodes, ...ran("set") }).view()?.stats?.repeatsAll, undefined);
  assertEquals(inquire({ ...nodes, ...moves, ...ran("set") }).view()?.stats?.repeatsAll, true);
  assertEquals(inquire({ ...nodes, ...moves, ...ran("msetex") }).view()?.stats?.repeatsAll, false);
  assertEquals(inquire({ ...nodes, ...moves }).view()?.stats?.repeatsAll, false);
  assertEquals(inquire({ ...moves, ...ran("flushall") }).beginning()?.emptied, "flushall 1");
});
