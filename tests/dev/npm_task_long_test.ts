import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { readConfig, ROOT } from "../../dev/project.ts";
import { run } from "../servers/run.ts";

Deno.test("the task packs into the folder that is named, for a repository", async () => {
  const folder = await Deno.makeTempDir({ prefix: "keywatch-" });
  try {
    const args = [
      "task",
      "--quiet",
      "build:npm",
      join(folder, "out"),
      "--repository",
      "git+https://a.test/b",
    ];
    const { code, stdout, output } = await run([Deno.execPath(), ...args], { cwd: ROOT });
    const { version } = await readConfig();
    const tarball = join(folder, "out", `keywatch-${version}.tgz`);
    assertEquals([code, stdout], [0, `${tarball}\n`], output);
    const about = await run([
      "tar",
      "--extract",
      "--to-stdout",
      "--file",
      tarball,
      "package/package.json",
    ]);
    const { repository, homepage, publishConfig } = JSON.parse(about.stdout);
    assertEquals(repository, { type: "git", url: "git+https://a.test/b" });
    assertEquals(homepage, "https://a.test/b#readme");
    assertEquals(publishConfig, { access: "public", provenance: true });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
