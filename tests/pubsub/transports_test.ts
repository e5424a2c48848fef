import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { dial as denoDial } from "../../pubsub/transports/deno.ts";
import { dial as nodeDial } from "../../pubsub/transports/node.ts";
import { transportCases } from "../runtimes/cases/transport.mjs";
import { Peers } from "../runtimes/peers.ts";
import { makeCertificates, startServer } from "../servers/mod.ts";

const certificates = await makeCertificates();

for (
  const [module, dial, names] of [
    ["Deno's own", denoDial, ["TCP", "a unix socket"]],
    ["node:net's", nodeDial, ["TCP", "a unix socket", "TLS"]],
  ] as const
) {
  for (const name of names) {
    for (const { name: what, run } of transportCases) {
      Deno.test(`${module} transport over ${name} ${what}`, async () => {
        const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
        {
          await using peers = new Peers(folder, certificates);
          await run({ dial, way: peers.ways.find((way) => way.name === name)! });
        }
        await Deno.remove(folder, { recursive: true });
      });
    }
  }
  Deno.test(`${module} transport serves a subscription`, async () => {
    await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
    for (const url of [server.url, `redis+unix://${server.socket}`]) {
      for (const protocol of [2, 3] as const) {
        await using notifications = await connect(url, { dial, protocol });
        await notifications.subscribeKeyspace("k");
        await server.command("SET", "k", "x");
        assertEquals((await notifications.getMessage({ timeout: 10_000 }))?.eventType, "set");
      }
    }
  });
}

Deno.test("in Deno the right to reach the server is all that is needed", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  const script = `
    import { connect } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    await using notifications = await connect(${JSON.stringify(server.url)});
    await notifications.subscribeKeyspace("k");
    console.log("subscribed");
    console.log((await notifications.getMessage({ timeout: 20_000 }))?.eventType);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `--allow-net=127.0.0.1:${server.port}`, "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const output = child.output();
  while (
    await server.command("PUBSUB", "NUMSUB", "__keyspace@0__:k").then(String) !==
      "__keyspace@0__:k,1"
  ) {
    const ended = await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (ended) break;
  }
  await server.command("SET", "k", "x");
  const { code, stdout, stderr } = await output;
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "subscribed\nset\n"]);
});
