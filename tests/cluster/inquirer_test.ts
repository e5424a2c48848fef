import { assertEquals } from "@std/assert";
import { Inquirer } from "../../cluster/inquirer.ts";
import type { Connection } from "../../pubsub/connection.ts";
import { ServerError } from "../../resp/mod.ts";
import { sleep } from "../servers/wait.ts";

type Taker = Parameters<Connection["query"]>[1];

Deno.test("RESP2: what a second connection answers counts once a PING on the first is answered", async () => {
  const pings: Taker[] = [];
  const first = {
    over: null,
    query: (_: string[], taker: Taker) => void pings.push(taker),
  };
  const beside = {
    over: null,
    query: ([, name]: string[], taker: Taker) =>
      name === "NODES"
        ? taker.answer("id :0 myself,master - 0 0 1 connected 0-9\n")
        : taker.fail(new ServerError("ERR unknown subcommand")),
    close() {},
  };
  const inquirer = new Inquirer({
    connection: first as unknown as Connection,
    protocol: 2,
    openBeside: () => Promise.resolve(beside as unknown as Connection),
    keyPrefix: null,
    position: () => 7,
    onAnswer() {},
  });
  const answers: unknown[] = [];
  inquirer.put({
    kind: "view",
    node: "id",
    slots: { first: 0, last: 0 },
    needsMarkers: true,
    sent() {},
    fail: () => void answers.push("failed"),
    answer: ({ slots }, position) => void answers.push([slots, position]),
  });
  await sleep(0);
  assertEquals([answers, pings.length], [[], 1]);
  pings[0]!.answer("PONG");
  // No position: the answer does not stand in the order of the notifications.
  assertEquals(answers, [[[{ first: 0, last: 9 }], undefined]]);
  inquirer.close();
});
