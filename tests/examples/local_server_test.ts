/** The example that serves HTTP: no request ends it, and no other host's page reads from it. */
import { assertEquals } from "@std/assert";
import type { Server } from "node:http";
import { serveHealth } from "../../examples/health_endpoint.ts";
import { closeServer, serveLocally } from "../../examples/local_server.ts";
import { startServer } from "../servers/mod.ts";
import { refusesAll } from "./refused.ts";

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

Deno.test("health_endpoint: no request ends it, and only its own hosts read", async () => {
  await using server = await startServer({ config: { "notify-keyspace-events": "KA" } });
  await using endpoint = await serveHealth(server.url, 0, () => {});
  await refusesAll(portOf(endpoint), "/status");
});

Deno.test("an answer that fails is an error of the server, which goes on", async () => {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (text) => said.push(text);
  let failing = true;
  const server = await serveLocally(0, (_path, response) => {
    if (failing) throw new Error("as it should for this test");
    response.end("well");
  });
  try {
    const ask = () => fetch(`http://localhost:${portOf(server)}/`);
    const response = await ask();
    assertEquals([response.status, await response.text()], [500, "The server failed\n"]);
    failing = false;
    assertEquals(await (await ask()).text(), "well");
    assertEquals(said.length, 1);
  } finally {
    console.error = error;
    await closeServer(server);
  }
});
