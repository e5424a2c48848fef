import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { describeEvent } from "../../events/mod.ts";
import { createClient } from "npm:@redis/client@6.3.1";
import {
  fetchServer,
  matrix,
  MissingServerError,
  startCluster,
  startServer,
  type WantedServer,
  within,
} from "./mod.ts";

for (const binary of await matrix({ progress: (message) => console.error(message) })) {
  const { product, version } = binary;

  Deno.test(`${product} ${version} starts, answers and is what it says`, async () => {
    await using server = await startServer({ binary });
    assertEquals(await server.command("PING"), "PONG");
    const info = await server.command("INFO", "server") as string;
    const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
    assertEquals(field(`${product}_version`), version);
    assertEquals(field("process_id"), String(server.pid));
    assertEquals(field("tcp_port"), String(server.port));
  });

  Deno.test(`${product} ${version} does not print the flag n beside A, though it is on`, async () => {
    await using server = await startServer({ binary });
    const flags = async () =>
      (await server.command("CONFIG", "GET", "notify-keyspace-events") as string[])[1];
    await server.command("CONFIG", "SET", "notify-keyspace-events", "AKEnm");
    assertEquals(await flags(), "AKEm");
    await server.command("CONFIG", "SET", "notify-keyspace-events", "KEn");
    assertEquals(await flags(), "nKE");
  });

  Deno.test(`${product} ${version} stops sending new once the flags it prints are set back`, async () => {
    await using server = await startServer({ binary });
    const setFlags = (flags: string) =>
      server.command("CONFIG", "SET", "notify-keyspace-events", flags);
    const heard: string[] = [];
    let wake = () => {};
    const until = (last: string) =>
      within(
        (async () => {
          while (heard.at(-1) !== last) await new Promise<void>((resolve) => wake = resolve);
        })(),
        10_000,
        last,
      );
    const client = createClient({
      disableClientInfo: true,
      socket: { host: "127.0.0.1", port: server.port, reconnectStrategy: false },
    });
    client.on("error", () => {});
    await using stack = new AsyncDisposableStack();
    stack.defer(() => client.destroy());
    await client.connect();
    await client.pSubscribe("__keyevent@0__:*", (key, channel) => {
      heard.push(`${channel.slice("__keyevent@0__:".length)} ${key}`);
      wake();
    });
    await setFlags("AKEn");
    const [, printed] = await server.command("CONFIG", "GET", "notify-keyspace-events") as string[];
    assertEquals(printed, "AKE");
    await server.command("SET", "first", "v");
    await until("set first");
    assertEquals(heard, ["new first", "set first"]);
    await setFlags(printed!);
    await server.command("SET", "second", "v");
    await until("set second");
    assertEquals(heard.slice(2), ["set second"]);
  });

  Deno.test(`${product} ${version} runs again after a restart`, async () => {
    await using server = await startServer({ binary });
    const { pid, port } = server;
    await server.restart();
    assert(server.pid !== pid);
    assertEquals(server.port, port);
    assertEquals(await server.command("PING"), "PONG");
  });

  Deno.test(`${product} ${version} makes a cluster`, async () => {
    await using cluster = await startCluster({ binary });
    const owner = await cluster.ownerOf("key");
    assertEquals(await owner.command("SET", "key", 1), "OK");
  });
}

Deno.test("the matrix is every version that the catalogue was measured on", async () => {
  const names = (await matrix()).map(({ product, version }) =>
    `${product} ${version.split(".").slice(0, 2).join(".")}`
  );
  const servers = describeEvent("set").servers.map((name) => name.toLowerCase());
  assertEquals(names, servers.filter((name) => name !== "redis 8.8"));
});

/** Runs with an empty cache folder and gives back what is in it afterwards, but for the locks. */
async function withEmptyCache(work: () => Promise<void>): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", folder);
  try {
    await work();
    return [...Deno.readDirSync(join(folder, "keywatch", "servers"))].map(({ name }) => name);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
    await Deno.remove(folder, { recursive: true });
  }
}

const TRIXIE: WantedServer = { product: "redis", version: "8.0", suites: ["trixie"] };

Deno.test("what several ask for at once is fetched once, and found again", async () => {
  const told: string[] = [];
  const left = await withEmptyCache(async () => {
    const all = await Promise.all(
      [1, 2, 3].map(() => fetchServer(TRIXIE, { progress: (m) => told.push(m) })),
    );
    const again = await fetchServer(TRIXIE, { progress: (m) => told.push(m) });
    for (const binary of all) assertEquals(binary, again);
    await using server = await startServer({ binary: again });
    assertEquals(await server.command("PING"), "PONG");
  });
  assertEquals(told, ["Fetching redis-8.0 from Debian's trixie …"]);
  assertEquals(left, ["redis-8.0"]);
});

Deno.test("a version that cannot be had is an error and leaves nothing", async () => {
  const cases: [WantedServer, string][] = [
    [{ ...TRIXIE, version: "8.1" }, "Cannot bring redis-8.1: Debian's trixie has redis 8.0."],
    [{ ...TRIXIE, suites: ["nosuch"] }, "Cannot read what is in nosuch"],
  ];
  for (const [wanted, message] of cases) {
    const left = await withEmptyCache(async () => {
      const error = await assertRejects(() => fetchServer(wanted), MissingServerError);
      assertStringIncludes(error.message, message);
    });
    assertEquals(left, []);
  }
});
