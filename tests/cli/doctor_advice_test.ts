/** What the doctor advises, for servers that cannot be had here. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Target } from "../../cli/connection.ts";
import { fixByService, redisCli, shellWord } from "../../cli/doctor/fixes.ts";
import { keyFor } from "../../cli/doctor/probe.ts";
import { hashSlot } from "../../cluster/discovery/mod.ts";

const TARGET: Target = {
  url: "redis://localhost",
  address: { hostname: "localhost", port: 6379 },
  db: "*",
  tls: undefined,
  tlsFiles: {},
  username: undefined,
  password: undefined,
};

Deno.test("if the host names a service, only that one is mentioned", () => {
  const cases: [hostname: string, words: string][] = [
    ["my.abc123.ng.0001.euw1.cache.amazonaws.com", "aws elasticache modify-cache-parameter-group"],
    [
      "clustercfg.my.abc123.memorydb.us-east-1.amazonaws.com",
      "aws memorydb update-parameter-group",
    ],
    ["my.redis.cache.windows.net", "az redis update"],
    ["my-project.a.aivencloud.com", "avn service update"],
  ];
  for (const [hostname, words] of cases) {
    const advice = fixByService({ hostname, port: 6379 }, "gxE");
    assertStringIncludes(advice.join("\n"), words);
    assertEquals(advice.filter((line) => line.endsWith(":")).length, 1, hostname);
  }
  for (const hostname of ["10.0.0.5", "cache.amazonaws.com.evil.test"]) {
    const advice = fixByService({ hostname, port: 6379 }, "gxE").join("\n");
    for (const [, words] of cases) assertStringIncludes(advice, words);
    assertStringIncludes(advice, "redis.conf");
  }
  assertStringIncludes(fixByService({ path: "/run/redis.sock" }, "AK")[0]!, "redis.conf");
});

Deno.test("commands are such that a shell takes them as they are meant", () => {
  assertEquals(["g$E", "AKE", "a b", "it's", "~k:*", "", "$(x)"].map(shellWord), [
    "'g$E'",
    "AKE",
    "'a b'",
    "'it'\\''s'",
    "'~k:*'",
    "''",
    "'$(x)'",
  ]);
});

Deno.test("a command names the server, and never the password", () => {
  assertEquals(redisCli(TARGET.address, TARGET), "$ redis-cli -h localhost -p 6379");
  const secured = { ...TARGET, tls: {}, username: "bo", password: "secret" };
  assertEquals(
    redisCli({ hostname: "::1", port: 7000 }, secured),
    "$ redis-cli -h ::1 -p 7000 --user bo --askpass --tls",
  );
  const authority = {
    ...TARGET,
    tls: { ca: "PEM", serverName: "a.test" },
    tlsFiles: { ca: "/c d" },
  };
  assertEquals(
    redisCli(TARGET.address, authority),
    "$ redis-cli -h localhost -p 6379 --tls --cacert '/c d' --sni a.test",
  );
  assertEquals(redisCli({ path: "/run/a b.sock" }, TARGET), "$ redis-cli -s '/run/a b.sock'");
});

Deno.test("a key is found in whatever slots there are", () => {
  for (const slots of [[{ first: 0, last: 0 }], [{ first: 16383, last: 16383 }]]) {
    assertEquals(hashSlot(keyFor(slots)), slots[0]!.first);
  }
  const [one, other] = [keyFor(null), keyFor(null)];
  assert(one.startsWith("keywatch:probe:") && one !== other);
});
