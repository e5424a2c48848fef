import { connect } from "../../mod.ts";
import { ensureServer, matrix, startSentinels, until } from "../servers/mod.ts";
import { FLUSH_SCENES, FlushRecord } from "./flushes.ts";
import { nodeOf, TALKATIVE, target } from "./pair.ts";

const { version } = await ensureServer();
for (const binary of await matrix()) {
  const server = `${binary.product} ${binary.version}`;
  Deno.test(`${server}: flushes of the primary that sentinels name are reported, also after a failover`, async () => {
    await using sentinels = await startSentinels({ binary, ...TALKATIVE });
    const watchers = await Promise.all(([2, 3] as const).map(async (protocol) => {
      const record = new FlushRecord();
      const options = { ...record.options, protocol };
      const notifications = await connect(target(...sentinels.sentinels), options);
      await record.subscribe(notifications);
      return { record, notifications };
    }));
    await using stack = new AsyncDisposableStack();
    for (const { notifications } of watchers) stack.use(notifications);
    let primary = await sentinels.primary();
    for (let round = 0; round < 2; round++) {
      await Promise.all([primary.command("FLUSHALL"), primary.command("SET", "k", "x")]);
      for (const { record } of watchers) {
        await record.assertCame(`round ${round}`, `flush ${nodeOf(primary)}`, "set k");
      }
      if (round === 1) break;
      primary = await sentinels.failover();
      for (const { record, notifications } of watchers) {
        await until("the new primary is watched", () => {
          const { node, state } = notifications.status().nodes[0]!;
          return node === nodeOf(primary) && state === "ready";
        });
        record.looped.length = record.handled.length = 0;
      }
    }
  });

  // The default server is that of the other tests.
  if (binary.version === version) continue;
  for (const { name, run } of FLUSH_SCENES) {
    for (const protocol of [2, 3] as const) {
      Deno.test(`${server}, RESP${protocol}: ${name}`, () => run(binary, protocol));
    }
  }
}
