/** A connection that is of no use any more is closed. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect, SentinelError } from "../../mod.ts";
import { until } from "../servers/mod.ts";
import { FakeServer } from "./fake_server.ts";

Deno.test("RESP2: the connection beside the first is closed once all is answered", async () => {
  await using server = new FakeServer(() => undefined);
  await using notifications = await connect(server.url, { protocol: 2 });
  await notifications.subscribeKeyspace("a");
  await notifications.subscribeKeyspace("b");
  await until("it is closed", () => server.connections === 1, 10_000);
  const began = server.commands.filter((text) => text.startsWith("CLIENT SETNAME")).length;
  assertEquals(began, 2, "there was one");
});

Deno.test("a connection to what is not a sentinel is closed", async () => {
  await using server = new FakeServer(() => undefined);
  await assertRejects(
    () => connect({ sentinels: [server.url], name: "mymaster" }, { timeout: 1_000 }),
    SentinelError,
    "it is not a sentinel",
  );
  await until("it is closed", () => server.connections === 0, 10_000);
});
