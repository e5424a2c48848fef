import { assertEquals, assertThrows } from "@std/assert";
import { formatAddress, parseUrl } from "../../pubsub/address.ts";

Deno.test("parseUrl reads every part", () => {
  assertEquals(parseUrl("redis://ana:p%40ss%2Fword@example.org:6380/12"), {
    address: { hostname: "example.org", port: 6380 },
    username: "ana",
    password: "p@ss/word",
    database: 12,
  });
});

Deno.test("parseUrl leaves out what the URL does not say", () => {
  const address = { hostname: "localhost", port: 6379 };
  assertEquals(parseUrl("redis://localhost"), { address });
  assertEquals(parseUrl("redis://localhost/"), { address });
  assertEquals(parseUrl(new URL("redis://:secret@localhost")), { address, password: "secret" });
  assertEquals(parseUrl("redis://ana@localhost"), { address, username: "ana" });
  assertEquals(parseUrl("redis://localhost/0"), { address, database: 0 });
});

Deno.test("parseUrl takes an IPv6 address in brackets", () => {
  const { address } = parseUrl("redis://[::1]:7000");
  assertEquals(address, { hostname: "::1", port: 7000 });
  assertEquals(formatAddress(address), "[::1]:7000");
});

for (
  const [url, why] of [
    ["", "it is not a URL"],
    ["localhost:6379", "localhost:// is not a scheme of Redis"],
    ["redis://", "it names no host"],
    ["redis:///2", "it names no host"],
    ["http://localhost:6379", "http:// is not a scheme of Redis"],
    ["rediss://localhost", "rediss:// is not supported yet"],
    ["redis+unix:///tmp/redis.sock", "redis+unix:// is not supported yet"],
    ["redis://localhost:99999", "it is not a URL"],
    ["redis://localhost:0", "port 0 cannot be connected to"],
    ["redis://localhost:port", "it is not a URL"],
    ["redis://localhost/two", '"/two" is not a database number'],
    ["redis://localhost/1/2", '"/1/2" is not a database number'],
    ["redis://localhost/-1", '"/-1" is not a database number'],
    ["redis://localhost?db=2", "it has a query or a fragment"],
    ["redis://:%ff@localhost", "the percent-encoding of its password is broken"],
  ] as const
) {
  Deno.test(`parseUrl refuses "${url}"`, () => {
    assertThrows(() => parseUrl(url), TypeError, why);
  });
}

Deno.test("parseUrl does not repeat a password", () => {
  for (
    const url of ["redis://ana:hunter2@localhost/x", "ana:hunter2@localhost", "redis://a:hunter2@"]
  ) {
    const { message } = assertThrows(() => parseUrl(url), TypeError);
    assertEquals(message.includes("hunter2"), false, message);
  }
});
