import { assertEquals, assertThrows } from "@std/assert";
import { parseUrl } from "../../../pubsub/connection/address.ts";
import { formatAddress } from "../../../pubsub/connection/transport.ts";

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

Deno.test("parseUrl tells an empty password from none", () => {
  assertEquals(parseUrl("redis://bo:@localhost").password, "");
  assertEquals("password" in parseUrl("redis://bo@localhost"), false);
  assertEquals(parseUrl("redis+unix://bo:@/tmp/s").password, "");
});

Deno.test("parseUrl refuses what is no text", () => {
  const cases: [value: unknown, name: string][] = [
    [["redis://a", "redis://b"], "what is of type object"],
    [{ host: "localhost" }, "what is of type object"],
    [null, "null"],
    [undefined, "what is of type undefined"],
    [6379, "what is of type number"],
  ];
  for (const [value, name] of cases) {
    assertThrows(
      () => parseUrl(value as string),
      TypeError,
      `Cannot read the server URL: ${name} is neither text nor a URL; expected redis[s]://`,
    );
  }
});

Deno.test("parseUrl says that a port is too high", () => {
  for (const port of ["65536", "99999", "123456789"]) {
    for (const url of [`redis://localhost:${port}`, `redis://[::1]:${port}/2`]) {
      assertThrows(() => parseUrl(url), TypeError, "its port is above 65535");
    }
  }
  assertEquals(parseUrl("redis://bo:99999@localhost:65535").address, {
    hostname: "localhost",
    port: 65535,
  });
  assertThrows(() => parseUrl("redis://:99999@"), TypeError, "it is not a URL");
});

Deno.test("parseUrl takes an IPv6 address in brackets", () => {
  const { address } = parseUrl("redis://[::1]:7000");
  assertEquals(address, { hostname: "::1", port: 7000 });
  assertEquals(formatAddress(address), "[::1]:7000");
});

Deno.test("parseUrl knows TLS by its scheme", () => {
  assertEquals(parseUrl("rediss://ana:secret@example.org/3"), {
    address: { hostname: "example.org", port: 6379 },
    tls: true,
    username: "ana",
    password: "secret",
    database: 3,
  });
  assertEquals(parseUrl("REDISS://[2001:db8::1]:6380"), {
    address: { hostname: "2001:db8::1", port: 6380 },
    tls: true,
  });
});

Deno.test("parseUrl reads the path of a unix socket", () => {
  const path = "/run/redis/redis.sock";
  assertEquals(parseUrl(`redis+unix://${path}`), { address: { path } });
  assertEquals(parseUrl(new URL(`redis+unix://${path}?db=0`)), { address: { path }, database: 0 });
  assertEquals(parseUrl(`redis+unix://ana:p%40ss%2F:word@${path}?db=12`), {
    address: { path },
    username: "ana",
    password: "p@ss/:word",
    database: 12,
  });
  assertEquals(parseUrl(`redis+unix://:secret@${path}`), { address: { path }, password: "secret" });
  assertEquals(parseUrl(`redis+unix://ana@${path}`), { address: { path }, username: "ana" });
  assertEquals(parseUrl("REDIS+UNIX:///a%20b/%3F@c:%25.sock?").address, {
    path: "/a b/?@c:%.sock",
  });
  assertEquals(formatAddress({ path }), path);
});

Deno.test("parseUrl takes valkey in place of redis", () => {
  const urls = [
    "redis://ana:secret@example.org/3",
    "rediss://[::1]:7000",
    "redis+unix://:secret@/run/valkey.sock?db=2",
  ];
  for (const url of urls) {
    for (const valkey of ["valkey", "VALKEY"]) {
      assertEquals(parseUrl(url.replace("redis", valkey)), parseUrl(url));
    }
  }
});

Deno.test("parseUrl ignores white space around a URL, as files and variables have it", () => {
  for (const url of ["redis://:secret@localhost/1", "redis+unix://:secret@/run/redis.sock"]) {
    assertEquals(parseUrl(` ${url}\r\n`), parseUrl(url));
  }
});

Deno.test("parseUrl takes a raw @ in a password", () => {
  assertEquals(parseUrl("redis://ana:p@ss@localhost").password, "p@ss");
  assertEquals(parseUrl("redis+unix://ana:p@ss@/tmp/s").password, "p@ss");
});

Deno.test("parseUrl hints at percent-encoding", () => {
  for (const scheme of ["redis", "rediss", "valkey", "valkeys"]) {
    for (const mark of ["/", "?", "#", "/@", "@/", "%", "%zz", "\t", "\n"]) {
      for (const user of ["ana:", ":", ""]) {
        const url = `${scheme}://${user}12${mark}pass@localhost/1`;
        assertThrows(() => parseUrl(url), TypeError, "percent-encoded", url);
      }
    }
  }
  for (const mark of ["/", "?", "#"]) {
    const url = `redis+unix://ana:12${mark}pass@/tmp/s`;
    assertThrows(() => parseUrl(url), TypeError, "percent-encoded", url);
  }
});

for (
  const [url, why] of [
    ["", "it is empty"],
    ["localhost:6379", "it begins with none of redis://"],
    ["redis://", "it names no host"],
    ["redis:///2", "it names no host"],
    ["http://localhost:6379", "it begins with none of redis://"],
    ["rediss:///2", "it names no host"],
    ["redis+unix:/tmp/s", "it begins with none of redis://"],
    ["redis:localhost", "it begins with none of redis://"],
    ["valkey+ssl://localhost", "it begins with none of redis://"],
    ["redis+unix:///tmp/s#x", "it has a query or a fragment"],
    ["redis+unix://", "it does not name a socket by its absolute path"],
    ["redis+unix:///", "it does not name a socket by its absolute path"],
    ["redis+unix:///tmp/", "it does not name a socket by its absolute path"],
    ["redis+unix://tmp/s", "it does not name a socket by its absolute path"],
    ["redis+unix:///tmp/%00s", "its path holds a zero byte"],
    ["redis+unix:///tmp/%ff", "the percent-encoding of its path is broken"],
    ["redis+unix://a%ff@/tmp/s", "the percent-encoding of its user is broken"],
    ["redis+unix:///tmp/s?db=two", "its database is not a number"],
    ["redis+unix:///tmp/s?db=-1", "its database is not a number"],
    ["redis+unix:///tmp/s?database=2", "its query is not db=number"],
    ["redis+unix:///tmp/s?db=1&db=2", "its query is not db=number"],
    ["redis://localhost:0", "port 0 cannot be connected to"],
    ["redis://localhost:port", "it is not a URL"],
    ["redis://localhost/two", "its database is not a number"],
    ["redis://localhost/1/2", "its database is not a number"],
    ["redis://localhost/-1", "its database is not a number"],
    ["redis://localhost?db=2", "it has a query or a fragment"],
    ["redis://:%ff@localhost", "the percent-encoding of its password is broken"],
  ] as const
) {
  Deno.test(`parseUrl refuses "${url}"`, () => {
    assertThrows(() => parseUrl(url), TypeError, why);
  });
}
