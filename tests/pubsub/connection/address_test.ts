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

Deno.test("parseUrl distinguishes an empty password from none", () => {
  assertEquals(parseUrl("redis://bo:@localhost").password, "");
  assertEquals("password" in parseUrl("redis://bo@localhost"), false);
  assertEquals(parseUrl("redis+unix://bo:@/tmp/s").password, "");
});

Deno.test("parseUrl refuses what is not text", () => {
  const others: unknown[] = [["redis://a", "redis://b"], { host: "localhost" }, null, undefined, 1];
  for (const value of others) {
    assertThrows(
      () => parseUrl(value as string),
      TypeError,
      value === others[0]
        ? "Cannot read the server URL: it has another form; expected redis[s]://"
        : "Cannot read the server URL: it does not begin with redis:// or rediss://; expected",
    );
  }
});

Deno.test("parseUrl refuses ports that TCP does not have", () => {
  for (const port of ["0", "65536", "99999", "123456789"]) {
    for (const url of [`redis://localhost:${port}`, `redis://[::1]:${port}/2`]) {
      assertThrows(() => parseUrl(url), TypeError, "its port is not from 1 to 65535");
    }
  }
  assertEquals(parseUrl("redis://bo:99999@localhost:65535").address, {
    hostname: "localhost",
    port: 65535,
  });
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
  const url of [
    "redis://",
    "redis:///2",
    "rediss:///2",
    "redis+unix:/tmp/s",
    "redis:localhost",
    "valkey+ssl://localhost",
    "redis://:99999@",
    "redis://[::1",
    "redis://::1",
    "redis+unix:///tmp/s#x",
    "redis+unix://",
    "redis+unix:///",
    "redis+unix:///tmp/",
    "redis+unix://tmp/s",
    "redis+unix:///tmp/s?db=two",
    "redis+unix:///tmp/s?db=-1",
    "redis+unix:///tmp/s?database=2",
    "redis+unix:///tmp/s?db=1&db=2",
    "redis://localhost:port",
    "redis://localhost/two",
    "redis://localhost/1/2",
    "redis://localhost/-1",
    "redis://localhost?db=2",
  ]
) {
  Deno.test(`parseUrl refuses "${url}"`, () => {
    assertThrows(() => parseUrl(url), TypeError, "it has another form; expected redis[s]://");
  });
}

for (
  const url of [
    "redis+unix:///tmp/%ff",
    "redis+unix://a%ff@/tmp/s",
    "redis://:%ff@localhost",
    "redis://local%zzhost",
  ]
) {
  Deno.test(`parseUrl refuses "${url}"`, () => {
    assertThrows(() => parseUrl(url), TypeError, "its percent-encoding is broken; expected");
  });
}

for (const url of ["", "localhost", "localhost:6379", "http://localhost:6379"]) {
  Deno.test(`parseUrl says that "${url}" does not begin as it must`, () => {
    const says = "it does not begin with redis:// or rediss://; expected redis[s]://";
    assertThrows(() => parseUrl(url), TypeError, says);
  });
}

Deno.test("parseUrl refuses a host that could drive a terminal", () => {
  assertThrows(() => parseUrl("redis://a%1b[2J"), TypeError, "it has another form");
  assertThrows(() => parseUrl("redis://a%0ab"), TypeError, "its hostname is not one");
});
