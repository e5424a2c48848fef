/** What servers say of rights and flags is not the same in each of them. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { matrix, startServer } from "../servers/mod.ts";
import { doctor, obeyAll } from "./doctor.ts";

for (const binary of await matrix()) {
  const name = `${binary.product} ${binary.version}`;

  Deno.test(`${name}: doctor probes it, and turns its notifications on`, async () => {
    await using server = await startServer({ binary });
    const texts = await obeyAll(server, "--probe", "--event", "set", "user:*");
    assertStringIncludes(texts[0]!, 'is "" and lacks "$K"');
    assertStringIncludes(texts.at(-1)!, `✓ version     ${name}`);
    assertStringIncludes(texts.at(-1)!, "✓ probe       set of keywatch:probe:");
    const expired = await doctor("--url", server.url, "--field", "total");
    assertEquals(expired.code, 1);
    assertStringIncludes(expired.text, "Redis 8.8 brought it");
  });

  Deno.test(`${name}: doctor gives a user the rights it lacks, one after another`, async () => {
    const rule = "bo on >pw ~user:* resetchannels +@all -psubscribe -config -set";
    const config = { "notify-keyspace-events": "KEA" };
    await using server = await startServer({ binary, config, acl: [rule] });
    const texts = await obeyAll(server, "--probe", "--user", "bo", "--password", "pw");
    for (const words of ["✓ flags", "✓ subscribing", "✓ probe"]) {
      assertStringIncludes(texts.at(-1)!, words);
    }
  });
}
