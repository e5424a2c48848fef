/** The client reconnects, and reports the gap before what follows. */
import { equal, ok, takeOne, until } from "../kit.mjs";

function comesBack(protocol) {
  return async (scene) => {
    const gaps = [];
    const notifications = await scene.connect({ protocol, onGap: (gap) => gaps.push(gap) });
    await notifications.subscribeKeyspace("user:*");
    for (const round of [1, 2, 3]) {
      const [connection] = await scene.connections();
      await scene.command("CLIENT", "KILL", "ID", / ?id=(\d+)/.exec(connection)[1]);
      await until("the gap is reported", () => gaps.length === round);
      await until("it is back", () => notifications.status().state === "ready");
      await scene.command("SET", `user:${round}`, "x");
      equal((await takeOne(notifications)).key, `user:${round}`);
    }
    for (const { kind, reason, from, to } of gaps) {
      equal([kind, reason], ["gap", "disconnected"]);
      ok(from <= to, "it begins before it ends");
    }
    equal(gaps.length, 3, "how many gaps were reported");
  };
}

export const returning = [
  { name: "RESP3: reconnects after each loss, and reports the gap", run: comesBack(3) },
  { name: "RESP2: reconnects after each loss, and reports the gap", run: comesBack(2) },
];
