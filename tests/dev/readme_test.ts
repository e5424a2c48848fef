import { assertEquals, assertStringIncludes } from "@std/assert";
import { startServer, until } from "../servers/mod.ts";

Deno.test("the README's example works as printed", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const example = /```ts no-run\n(.*?)```/s.exec(readme)![1]!;
  await using server = await startServer({ config: { "notify-keyspace-events": "KEA" } });
  const script = example.replace("redis://localhost:6379", server.url)
    .replace("@keywatch/keywatch", import.meta.resolve("../../mod.ts"));
  assertStringIncludes(script, server.url);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/example.ts`, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", `--allow-net=127.0.0.1:${server.port}`, `${folder}/example.ts`],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(
    new TextDecoderStream() as TransformStream<Uint8Array, string>,
  ).getReader();
  try {
    await until("it has subscribed", async () => await server.command("PUBSUB", "NUMPAT") === 1);
    await server.command("SET", "user:1", "x", "PX", 1);
    let printed = "";
    while (!/has expired[^]*expired user:1|expired user:1[^]*has expired/.test(printed)) {
      const { done, value } = await output.read();
      if (done) break;
      printed += value;
    }
    for (const words of ["set user:1", "expire user:1", "expired user:1", "user:1 has expired"]) {
      assertStringIncludes(printed, words);
    }
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended, which only a broken example does.
    }
    await output.cancel();
    await child.status;
    assertEquals(await stderr, "");
    await Deno.remove(folder, { recursive: true });
  }
});
