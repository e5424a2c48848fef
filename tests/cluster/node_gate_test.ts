import { assertEquals } from "@std/assert";
import { Ownership, Topology } from "../../cluster/mod.ts";
import { NodeGate } from "../../cluster/node_gate.ts";
import type { Delivery } from "../../pubsub/hub.ts";
import { ServerError } from "../../resp/mod.ts";
import { node, shard } from "./shards.ts";
import { sleep } from "../servers/wait.ts";

function topology(owner: string): Topology {
  return new Topology([shard(node(owner), [[0, 16_383]])]);
}

Deno.test("a replica that is left while it is asked takes what it repeats with it, in RESP2", async () => {
  type Taker = { answer(reply: unknown): void; fail(error: Error): void };
  const pending: Taker[] = [];
  let isMute = false;
  const beside = {
    over: null,
    query([, name]: string[], taker: Taker) {
      if (isMute) pending.push(taker);
      else if (name === "NODES") taker.answer("id :0 myself,slave - 0 0 1 connected\n");
      else taker.answer(new ServerError("ERR unknown subcommand"));
    },
    close: (error: Error) => pending.splice(0).forEach((taker) => taker.fail(error)),
  };
  const connection = { over: null, query: (_: string[], { answer }: Taker) => answer("PONG") };
  const subscriber = {
    state: "open",
    info: { protocol: 2 },
    connection,
    openBeside: () => Promise.resolve({ connection: beside }),
  };
  const verdicts: string[] = [];
  const ownership: Ownership<Delivery> = new Ownership<Delivery>({
    decide: (_, verdict) => void verdicts.push(verdict),
    ask: (question) => void (question.kind !== "topology" && gate.put(question)),
    renew() {},
  });
  const gate = new NodeGate({
    id: "a",
    subscriber: () => subscriber as never,
    flags: () => null,
    keyPrefix: null,
    ownership,
    hand() {},
    onHeld() {},
    onAnswer() {},
  });
  ownership.setTopology(topology("a"));
  gate.follow();
  ownership.setTopology(topology("b"));
  await sleep(0);
  isMute = true;

  const keyBytes = new TextEncoder().encode("key");
  const notification = {
    key: "key",
    keyBytes,
    kind: "keyspace",
    eventType: "set",
    database: 0,
    detach() {},
  };
  gate.pass({ notification, begins: true, bytes: 10, consumers: [] } as never);
  assertEquals([verdicts, pending.length > 0], [[], true]);
  gate.close();
  assertEquals(verdicts, ["phantom"]);
});
