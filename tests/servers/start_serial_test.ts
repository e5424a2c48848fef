/** What a failed start leaves in the folder for temporary files, which the whole process shares. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ServerStartError, TestCluster, TestServer } from "./mod.ts";

/** Calls `fn` while temporary files go to a folder of their own, and sees that none is left. */
async function leavingNothing(fn: () => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  const before = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", parent);
  try {
    await fn();
    assertEquals([...Deno.readDirSync(parent)], []);
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("a wrong directive is reported in the server's own words, and nothing is left", async () => {
  await leavingNothing(async () => {
    const error = await assertRejects(
      () => TestServer.start({ config: { "no-such-directive": "1" } }),
      ServerStartError,
      "Cannot start",
    );
    assertStringIncludes(error.message, "no-such-directive");
    assertStringIncludes(error.message, "Bad directive or wrong number of arguments");
  });
});

Deno.test("a cluster that cannot start leaves nothing", async () => {
  await leavingNothing(async () => {
    await assertRejects(
      () => TestCluster.start({ config: { "no-such-directive": 1 } }),
      Error,
      "no-such-directive",
    );
  });
});
